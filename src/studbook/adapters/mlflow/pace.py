"""How fast a server may be asked: what it has too many of comes more slowly."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_FIRST_S = 0.05
_LONGEST_S = 5.0
_EASING = 0.9


class Pace:
    """Spaces requests, in seconds: twice as far after each "too many requests", and closer again with each answer.

    Thread-safe; one for all that goes to a server.
    """

    def __init__(
        self,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
        sleep_s: Callable[[float], None] = time.sleep,
    ) -> None:
        self._monotonic_s = monotonic_s
        self._sleep_s = sleep_s
        self._lock = threading.Lock()
        self._free_at_s = 0.0
        self.spacing_s = 0.0

    def await_turn(self) -> None:
        """Wait until the next request may be sent."""
        if not self.spacing_s:
            return
        with self._lock:
            now = self._monotonic_s()
            at = max(now, self._free_at_s)
            self._free_at_s = at + self.spacing_s
        if at > now:
            self._sleep_s(at - now)

    def too_many(self) -> None:
        """The server had too many requests."""
        with self._lock:
            self.spacing_s = min(_LONGEST_S, max(_FIRST_S, 2 * self.spacing_s))
            self._free_at_s = max(self._free_at_s, self._monotonic_s() + self.spacing_s)

    def answered(self) -> None:
        """The server did what it was asked."""
        if not self.spacing_s:
            return
        with self._lock:
            eased = self.spacing_s * _EASING
            self.spacing_s = eased if eased >= _FIRST_S / 2 else 0.0
