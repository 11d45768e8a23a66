"""Events that the log did not take, kept in memory until it takes them."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import Final

from ..domain.run_events import MetricsLogged
from ..ports.event_log import Happening

_METRICS: Final = 10_000
_OTHERS: Final = 10_000
_RETRY_AFTER_NS: Final = 1_000_000_000


class Backlog:
    """Waiting events, in order: at most 10,000 with metrics, and 10,000 others. What finds no room is given up,
    and counted.

    Whoever calls holds `lock`. A forked child has a backlog of its own: this one is `foreign` to it.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.waiting: list[Happening] = []
        self.given_up = 0
        self._metrics = 0
        self._retry_at_ns = 0
        self._process = os.getpid()

    @property
    def lost(self) -> int:
        """How many events are not in the log now."""
        return len(self.waiting) + self.given_up

    @property
    def foreign(self) -> bool:
        """Whether this is a forked child's copy of its parent's."""
        return self._process != os.getpid()

    def hold(self, happenings: Sequence[Happening]) -> None:
        """Have them wait, as far as there is room."""
        for happening in happenings:
            measured = isinstance(happening.event, MetricsLogged)
            count, room = (
                (self._metrics, _METRICS) if measured else (len(self.waiting) - self._metrics, _OTHERS)
            )
            if count >= room:
                self.given_up += 1
                continue
            self.waiting.append(happening)
            self._metrics += measured

    def failed(self, now_ns: int) -> None:
        """The log did not take events at this moment (monotonic)."""
        self._retry_at_ns = now_ns + _RETRY_AFTER_NS

    def due(self, now_ns: int) -> bool:
        """Whether it is time to try again; metrics wait for it, so that a full disk does not slow training."""
        return now_ns >= self._retry_at_ns

    def give_up(self) -> None:
        """What waits will never be taken."""
        self.given_up += len(self.waiting)
        self.clear()

    def clear(self) -> None:
        """Nothing waits any more."""
        self.waiting, self._metrics = [], 0
