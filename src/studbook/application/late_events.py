"""Events of runs that were ended before they came: their writer was taken for dead, and woke up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..domain.events import Envelope
from ..domain.keys import RunKey
from ..domain.run_events import RunReaped
from ..ports.delivery_ledger import RunChanges


def late_runs(
    envelopes: Iterable[Envelope], changes: RunChanges, open_runs: Mapping[RunKey, int]
) -> frozenset[RunKey]:
    """The runs that have events here though they were not open before, or that were reaped before their last event.

    `changes` are what these events change; `open_runs` tells when the last event of each open run happened, UTC ns.
    Who has ended the others is not known here.
    """
    begun = {run.run_key for run in changes.started}
    late = {key for key in changes.seen if key not in open_runs and key not in begun}
    if changes.ended:
        for envelope in envelopes:
            key = envelope.run_key
            if key is not None and isinstance(envelope.event, RunReaped):
                last_ns = max(changes.seen.get(key, 0), open_runs.get(key, 0))
                late |= {key} if last_ns > envelope.occurred_at_ns else set()
    return frozenset(late)
