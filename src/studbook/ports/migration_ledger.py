"""What has been copied from one store to another: a migration's memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Copy:
    """The run that a source's run was copied to. `state` is the source's state then; None until all is copied."""

    run_id: str
    state: str | None = None


class MigrationLedger(Protocol):
    """Of one source and one destination. What returned is durable; a lost ledger costs time only."""

    def get(self, source_run: str) -> Copy | None:
        """What is known of a run's copy, by the run's id at the source."""
        ...

    def put(self, source_run: str, copy: Copy) -> None:
        """Remember a copy; the last word counts."""
        ...

    def close(self) -> None:
        """Give the file back. Closing twice is fine; a later call opens it again."""
        ...
