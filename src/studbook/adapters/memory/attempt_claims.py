"""Attempt claims of this process."""

from __future__ import annotations

import threading


class MemoryAttemptClaims:
    """Thread-safe; nothing outlives the object."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: set[tuple[bytes, int]] = set()

    def claim(self, subject: bytes, attempt: int) -> int:
        """See AttemptClaims."""
        with self._lock:
            while (subject, attempt) in self._taken:
                attempt += 1
            self._taken.add((subject, attempt))
            return attempt
