"""How questions are repeated."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from studbook.adapters.mlflow.patience import Patience
from studbook.domain.errors import StudbookError, TrackingDenied, TrackingUnavailable
from studbook.ports.time_left import within


def failing(times: int, **details: object) -> tuple[Callable[[], str], list[float]]:
    """A question that fails so often first, and the moments at which it was asked."""
    asked: list[float] = []

    def ask() -> str:
        asked.append(time.monotonic())
        if len(asked) <= times:
            raise TrackingUnavailable("down", cure="wait", **details)
        return "answer"

    return ask, asked


def test_an_answer_is_given_at_once() -> None:
    ask, asked = failing(0)
    assert Patience().ask(ask) == "answer"
    assert len(asked) == 1


def test_the_server_is_given_the_time_it_asks_for() -> None:
    ask, asked = failing(1, retry_after_s=0.2)
    assert Patience(first_wait_s=0.0).ask(ask) == "answer"
    assert asked[1] - asked[0] >= 0.2


def test_what_is_put_off_beyond_the_limit_is_not_waited_for() -> None:
    ask, asked = failing(9, retry_after_s=61.0)
    with pytest.raises(TrackingUnavailable) as error:
        Patience().ask(ask)
    assert len(asked) == 1
    assert error.value.details["retry_after_s"] == 61.0


def test_what_is_put_off_beyond_the_time_of_who_waits_is_not_waited_for() -> None:
    ask, asked = failing(9, retry_after_s=5.0)
    with within(lambda: 4.0), pytest.raises(TrackingUnavailable):
        Patience().ask(ask)
    assert len(asked) == 1


def test_the_last_failure_is_the_one_told() -> None:
    failures = [TrackingUnavailable(str(i), cure="") for i in range(3)]
    left = iter(failures)

    def ask() -> str:
        raise next(left)

    with pytest.raises(TrackingUnavailable) as error:
        Patience(attempts=3, first_wait_s=0.0).ask(ask)
    assert error.value is failures[-1]


@pytest.mark.parametrize("error", [TrackingDenied("no", cure=""), StudbookError("x", cure=""), KeyError("k")])
def test_other_errors_pass_at_once(error: Exception) -> None:
    asked: list[None] = []

    def ask() -> str:
        asked.append(None)
        raise error

    with pytest.raises(type(error)) as raised:
        Patience(first_wait_s=0.0).ask(ask)
    assert raised.value is error
    assert len(asked) == 1
