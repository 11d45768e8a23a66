"""Starts a relay process for a home and a target."""

from __future__ import annotations

from typing import Protocol


class RelayLauncher(Protocol):
    """Returns at once; what goes wrong is logged, since events wait in the journal anyway."""

    def ensure(self) -> None:
        """Have a relay process at work: starts one unless one holds the ledger's lease."""
        ...
