"""The clock of tests."""

from __future__ import annotations

import pytest

from studbook.adapters.memory.clock import ManualClock
from studbook.ports.clock import Clock
from studbook.ports.contract.clock import ClockContract


class TestManualClock(ClockContract):
    @pytest.fixture
    def clock(self) -> Clock:
        return ManualClock()


def test_time_stands_still_until_it_is_told() -> None:
    clock = ManualClock(now_ns=1000)
    assert (clock.now_ns(), clock.now_ns(), clock.monotonic_ns()) == (1000, 1000, 0)
    clock.advance(0.000_000_5)
    assert (clock.now_ns(), clock.monotonic_ns()) == (1500, 500)
    clock.sleep(2)
    assert (clock.now_ns(), clock.monotonic_ns()) == (2_000_001_500, 2_000_000_500)
