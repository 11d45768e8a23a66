"""What a server has too many of comes more slowly, and then faster again."""

from __future__ import annotations

import pytest

from faults.http_faults import Answer, FaultyProxy
from studbook.adapters.mlflow.backend import server_calls
from studbook.adapters.mlflow.pace import Pace
from studbook.adapters.mlflow.patience import ONCE
from studbook.domain.errors import TrackingUnavailable


class _Time:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def _pace() -> tuple[Pace, _Time]:
    time = _Time()
    return Pace(monotonic_s=lambda: time.now, sleep_s=time.sleep), time


def test_nothing_is_held_back_before_the_server_has_too_much() -> None:
    pace, time = _pace()
    for _ in range(100):
        pace.await_turn()
        pace.answered()
    assert time.now == 100


def test_each_refusal_doubles_the_spacing_up_to_a_limit() -> None:
    pace, _ = _pace()
    spacings = []
    for _ in range(12):
        pace.too_many()
        spacings.append(pace.spacing_s)
    assert spacings[:3] == [0.05, 0.1, 0.2]
    assert spacings[-1] == spacings[-2] == 5.0


def test_requests_keep_their_distance_whoever_sends_them() -> None:
    pace, time = _pace()
    pace.too_many()
    pace.too_many()
    turns = []
    for _ in range(3):
        pace.await_turn()
        turns.append(time.now)
    assert turns == pytest.approx([100.1, 100.2, 100.3])


def test_answers_bring_the_old_pace_back() -> None:
    pace, time = _pace()
    pace.too_many()
    for _ in range(20):
        pace.answered()
    assert pace.spacing_s == 0.0
    pace.await_turn()
    assert time.now == 100


def test_a_server_that_has_too_many_requests_gets_them_more_slowly(proxy: FaultyProxy) -> None:
    pace, time = _pace()
    calls = server_calls(proxy.uri, timeout_s=60.0, patience=ONCE, pace=pace)
    proxy.on("/experiments/get", Answer(429))
    for ask in (calls, calls.asking_once()):
        with pytest.raises(TrackingUnavailable):
            ask.get("/api/2.0/mlflow/experiments/get", {"experiment_id": "0"})
        proxy.on("/experiments/get", Answer(429))
    assert pace.spacing_s == 0.1
    proxy.forget()
    waited_since = time.now
    calls.get("/api/2.0/mlflow/experiments/get-by-name", {"experiment_name": "Default"})
    assert time.now > waited_since
    assert pace.spacing_s < 0.1
