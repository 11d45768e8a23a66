"""Time, so that tests own it."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Two clocks: one that tells the time, one that only moves forward."""

    def now_ns(self) -> int:
        """UTC nanoseconds since 1970; never less than an earlier answer of this clock."""
        ...

    def monotonic_ns(self) -> int:
        """Nanoseconds for durations; never goes back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait at least this long."""
        ...
