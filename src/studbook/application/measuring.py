"""Measures a function's latency: warm-up, then each call by itself, with the garbage collector off."""

from __future__ import annotations

import gc
from collections.abc import Callable

from ..ports.clock import Clock


def measure(
    predict: Callable[[object], object],
    batch: object,
    *,
    warmup: int,
    iterations: int,
    synchronize: Callable[[], object] | None,
    clock: Clock,
) -> list[float]:
    """The duration of each of `iterations` calls in milliseconds, after `warmup` unmeasured ones.

    `synchronize` waits for the device, before and after each call, inside the clock's reading.
    """
    wait = synchronize or _nothing
    for _ in range(warmup):
        predict(batch)
    wait()
    gc.collect()
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return [_once(predict, batch, wait, clock.monotonic_ns) for _ in range(iterations)]
    finally:
        if was_enabled:
            gc.enable()


def _once(
    predict: Callable[[object], object], batch: object, wait: Callable[[], object], now: Callable[[], int]
) -> float:
    wait()
    begin = now()
    predict(batch)
    wait()
    return (now() - begin) / 1e6


def _nothing() -> None:
    """The cpu has nothing to wait for."""
