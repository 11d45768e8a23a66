"""Locks by name, between threads and between processes of one home."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class Locks(Protocol):
    """Released by leaving the block, and by the death of the holder's process."""

    def hold(self, name: str, timeout_s: float) -> AbstractContextManager[bool]:
        """Hold the lock of this name (`[a-z0-9-]+`); yields False when it stayed taken for `timeout_s`."""
        ...
