"""Identifiers that count up, so that tests can foretell them."""

from __future__ import annotations

import itertools


class CountingIds:
    """Ids from 1 on: `writer-000001`, `0000000000000001`. Unique within this object only."""

    def __init__(self) -> None:
        self._writers = itertools.count(1)
        self._nonces = itertools.count(1)

    def writer(self) -> str:
        """The next writer id."""
        return f"writer-{next(self._writers):06d}"

    def nonce(self) -> str:
        """The next nonce."""
        return f"{next(self._nonces):016x}"
