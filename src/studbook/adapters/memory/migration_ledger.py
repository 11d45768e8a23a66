"""A migration's ledger in memory."""

from __future__ import annotations

from ...ports.migration_ledger import Copy


class MemoryMigrationLedger:
    """See MigrationLedger. Nothing outlives the object."""

    def __init__(self) -> None:
        self._copies: dict[str, Copy] = {}

    def get(self, source_run: str) -> Copy | None:
        """See MigrationLedger."""
        return self._copies.get(source_run)

    def put(self, source_run: str, copy: Copy) -> None:
        """See MigrationLedger."""
        self._copies[source_run] = copy

    def close(self) -> None:
        """Nothing to give back."""
