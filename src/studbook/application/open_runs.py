"""Which runs are open: what events say of it, and what the ledger and the rest of the log say together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..domain.events import Envelope
from ..domain.keys import RunKey
from ..domain.run_events import (
    ArtifactAcquired,
    DeliveryRefused,
    RefusalDismissed,
    RunEnded,
    RunReaped,
    RunStarted,
)
from ..ports.delivery_ledger import DeliveryLedger, RunChanges, StartedRun
from ..ports.event_log import EventLog

_NOT_OF_THE_RUN = (ArtifactAcquired, DeliveryRefused, RefusalDismissed)
"""Facts about a run that others record, long after it."""


def run_changes(envelopes: Iterable[Envelope], *, refused: bool = False) -> RunChanges:
    """What these events change about open runs: for `DeliveryLedger.advance`, with the events' cursor.

    A run whose beginning was refused for good is in no store: it has nothing to end.
    """
    started: dict[tuple[RunKey, str], StartedRun] = {}
    seen: dict[RunKey, int] = {}
    ended: set[RunKey] = set()
    for envelope in envelopes:
        key, event, at_ns = envelope.run_key, envelope.event, envelope.occurred_at_ns
        if key is None or isinstance(event, _NOT_OF_THE_RUN):
            continue
        if isinstance(event, RunEnded | RunReaped):
            ended.add(key)
            continue
        seen[key] = max(at_ns, seen.get(key, at_ns))
        if isinstance(event, RunStarted) and not refused:
            started.setdefault(
                (key, envelope.writer),
                StartedRun(key, envelope.writer, event.project, event.stage, event.parent, at_ns),
            )
    return RunChanges(tuple(started.values()), seen, frozenset(ended))


def open_runs(log: EventLog, ledger: DeliveryLedger) -> tuple[StartedRun, ...]:
    """All runs of the log that were begun and not ended by anyone, delivered or not; reads what is not
    delivered only.
    """
    # In this order: what is delivered in between is then read twice, and nothing is missed.
    cursor = ledger.cursor()
    delivered = ledger.open_runs()
    changes = run_changes(log.read(cursor))
    runs = {(run.run_key, run.writer): run for run in (*changes.started, *delivered)}
    return tuple(
        replace(run, seen_ns=max(run.seen_ns, changes.seen.get(run.run_key, run.seen_ns)))
        for (key, _), run in sorted(runs.items(), key=lambda item: item[0])
        if key not in changes.ended
    )
