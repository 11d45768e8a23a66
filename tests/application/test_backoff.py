"""How long the relay waits."""

from __future__ import annotations

import pytest

from studbook.application.backoff import Backoff
from studbook.domain.errors import TrackingUnavailable


def _down(**details: object) -> TrackingUnavailable:
    return TrackingUnavailable("down", cure="wait", **details)


def test_waits_double_from_the_base_to_the_cap() -> None:
    backoff = Backoff(base_s=1.0, cap_s=6.0)
    assert [backoff.wait_s(failures, _down(), 1.0) for failures in (1, 2, 3, 4, 10**6)] == [1, 2, 4, 6, 6]


@pytest.mark.parametrize(("share", "wait"), [(0.0, 0.0), (0.5, 2.0), (1.0, 4.0)])
def test_a_wait_is_a_share_of_the_longest(share: float, wait: float) -> None:
    assert Backoff(base_s=1.0).wait_s(3, _down(), share) == wait


def test_files_have_a_base_and_a_cap_of_their_own() -> None:
    backoff = Backoff(base_s=1.0, cap_s=1.0, transfer_base_s=3.0, transfer_cap_s=10.0)
    waits = [backoff.wait_s(failures, _down(transfer=True), 1.0) for failures in (1, 2, 3)]
    assert waits == [3, 6, 10]


def test_a_server_is_left_alone_for_as_long_as_it_asks_but_not_for_ever() -> None:
    backoff = Backoff(base_s=1.0, retry_after_cap_s=20.0)
    assert backoff.wait_s(1, _down(retry_after_s=7.0), 0.0) == 7
    assert backoff.wait_s(1, _down(retry_after_s=3600), 0.0) == 20
    assert backoff.wait_s(4, _down(retry_after_s=7.0), 1.0) == 8
