"""The machine's clock."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.adapters.system.clock import SystemClock
from studbook.ports.clock import Clock
from studbook.ports.contract.clock import ClockContract


class TestSystemClock(ClockContract):
    @pytest.fixture
    def clock(self) -> Clock:
        return SystemClock()


def test_it_tells_the_machines_time() -> None:
    before = time.time_ns()
    assert before <= SystemClock().now_ns() <= time.time_ns()


@given(st.lists(st.integers(min_value=1, max_value=10), min_size=1, max_size=30))
def test_a_machine_that_is_set_back_does_not_take_time_back(wall: list[int]) -> None:
    machine = iter(wall)
    clock = SystemClock(wall_ns=lambda: next(machine))
    assert [clock.now_ns() for _ in wall] == [max(wall[: n + 1]) for n in range(len(wall))]
