"""The machine's clock."""

from __future__ import annotations

import time
from collections.abc import Callable


class SystemClock:
    """A Clock whose wall time stands still when the machine's is set back, until that has caught up.

    Lock-free, because a lock may be held at the moment of a fork.
    """

    def __init__(self, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self._wall_ns = wall_ns
        self._latest = 0

    def now_ns(self) -> int:
        """UTC nanoseconds since 1970."""
        now = self._wall_ns()
        if now <= self._latest:
            return self._latest
        self._latest = now
        return now

    def monotonic_ns(self) -> int:
        """Nanoseconds since some moment of the machine."""
        return time.monotonic_ns()

    def sleep(self, seconds: float) -> None:
        """Wait at least this long. Raises ValueError for a negative duration."""
        time.sleep(seconds)
