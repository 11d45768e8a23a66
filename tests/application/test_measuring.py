"""Measuring: warm-up outside the clock, each call by itself, the collector off meanwhile."""

from __future__ import annotations

import gc

import pytest

from studbook.adapters.memory.clock import ManualClock
from studbook.application.measuring import measure


def test_each_call_is_measured_by_itself_in_milliseconds() -> None:
    clock = ManualClock()
    seconds = iter([9.0, 9.0, 0.001, 0.002, 0.5])

    def predict(batch: object) -> None:
        clock.advance(next(seconds))

    found = measure(predict, "batch", warmup=2, iterations=3, synchronize=None, clock=clock)
    assert found == [1.0, 2.0, 500.0]


def test_waiting_for_the_device_belongs_to_the_call() -> None:
    clock = ManualClock()
    pending = [0.0]

    def predict(batch: object) -> None:
        pending[0] = 0.003

    def synchronize() -> None:
        clock.advance(pending[0])
        pending[0] = 0.0

    assert measure(predict, 1, warmup=1, iterations=2, synchronize=synchronize, clock=clock) == [3.0, 3.0]


def test_the_batch_is_handed_over_as_it_is() -> None:
    seen: list[object] = []
    batch = object()
    measure(seen.append, batch, warmup=1, iterations=2, synchronize=None, clock=ManualClock())
    assert seen == [batch] * 3


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_off_while_measuring_and_as_before_afterwards(enabled: bool) -> None:
    seen: list[bool] = []

    def predict(batch: object) -> None:
        seen.append(gc.isenabled())
        if len(seen) == 3:
            raise ValueError("late")

    (gc.enable if enabled else gc.disable)()
    try:
        with pytest.raises(ValueError, match="late"):
            measure(predict, 1, warmup=1, iterations=5, synchronize=None, clock=ManualClock())
        assert seen == [enabled, False, False]
        assert gc.isenabled() is enabled
    finally:
        gc.enable()
