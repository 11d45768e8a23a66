"""How much of a log is not delivered."""

from __future__ import annotations

from ..ports.delivery_ledger import DeliveryLedger
from ..ports.event_log import Cursor


def undelivered(ledger: DeliveryLedger, wanted: Cursor) -> int:
    """How many events up to the cursor `wanted` the ledger has not reached."""
    if not wanted:
        return 0
    reached = ledger.cursor()
    return sum(max(0, last - reached.get(writer, 0)) for writer, last in wanted.items())
