"""Identifiers from time and randomness."""

from __future__ import annotations

import secrets
import time

from ...ports.clock import Clock
from .clock import SystemClock

_SECOND_NS = 1_000_000_000


class SystemIds:
    """Ids for real use: a writer's is its UTC birth, to the nanosecond, and 40 random bits.

    Lock-free, because a lock may be held at the moment of a fork.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock if clock is not None else SystemClock()
        self._latest_ns = 0

    def writer(self) -> str:
        """An id such as `20260314t150926535897932-9f86d08188`."""
        now = max(self._clock.now_ns(), self._latest_ns + 1)
        self._latest_ns = now
        seconds, rest = divmod(now, _SECOND_NS)
        return f"{time.strftime('%Y%m%dt%H%M%S', time.gmtime(seconds))}{rest:09d}-{secrets.token_hex(5)}"

    def nonce(self) -> str:
        """64 random bits."""
        return secrets.token_hex(8)
