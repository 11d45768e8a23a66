"""Locks between the threads of this process."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class MemoryLocks:
    """One lock a name; not reentrant."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)

    @contextmanager
    def hold(self, name: str, timeout_s: float) -> Iterator[bool]:
        """Hold the lock; yields False when it stayed taken for `timeout_s`."""
        with self._guard:
            lock = self._locks[name]
        if not lock.acquire(timeout=timeout_s):
            yield False
            return
        try:
            yield True
        finally:
            lock.release()
