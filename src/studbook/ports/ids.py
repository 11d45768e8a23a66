"""Identifiers that nobody else has, so that tests own them."""

from __future__ import annotations

from typing import Protocol


class Ids(Protocol):
    """Fresh identifiers."""

    def writer(self) -> str:
        """An id for a journal writer: `[a-z0-9-]{1,64}`, never given twice, sorting by creation time."""
        ...

    def nonce(self) -> str:
        """Sixteen hexadecimal digits or more, never given twice."""
        ...
