"""A clock that stands still until it is told to go on."""

from __future__ import annotations

import math
import threading


class ManualClock:
    """A Clock for tests: both times move only by `advance` and `sleep`."""

    def __init__(self, now_ns: int = 1_700_000_000_000_000_000) -> None:
        self._lock = threading.Lock()
        self._start_ns = now_ns
        self._elapsed_ns = 0

    def now_ns(self) -> int:
        """UTC nanoseconds."""
        return self._start_ns + self._elapsed_ns

    def monotonic_ns(self) -> int:
        """Nanoseconds since this clock was made."""
        return self._elapsed_ns

    def advance(self, seconds: float) -> None:
        """Let time pass. Raises ValueError for a negative duration."""
        if seconds < 0:
            raise ValueError("time does not go back")
        with self._lock:
            self._elapsed_ns += math.ceil(seconds * 1e9)

    def sleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        self.advance(seconds)
