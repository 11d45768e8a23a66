"""How much of a log is not delivered."""

from __future__ import annotations

from collections.abc import Mapping

from ..ports.delivery_ledger import DeliveryLedger
from ..ports.event_log import Cursor


def delivered_to_own(
    writers: Mapping[str, frozenset[str]], ledgers: Mapping[str, DeliveryLedger | None]
) -> Cursor:
    """Up to where each writer's events are delivered to the target that they were recorded for; both by target."""
    return {
        writer: sequence
        for target, ledger in ledgers.items()
        if ledger is not None
        for writer, sequence in ledger.cursor().items()
        if writer in writers[target]
    }


def undelivered(ledger: DeliveryLedger, wanted: Cursor) -> int:
    """How many events up to the cursor `wanted` the ledger has not reached."""
    if not wanted:
        return 0
    reached = ledger.cursor()
    return sum(max(0, last - reached.get(writer, 0)) for writer, last in wanted.items())
