"""Data of runs that were ended before it came: their writer was taken for dead, and woke up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..domain.events import Envelope
from ..domain.keys import RunKey
from ..domain.run_events import (
    ArtifactLogged,
    MetricsLogged,
    ParamsLogged,
    RecordWritten,
    RunReaped,
    RunStarted,
    TagsSet,
)

_DATA = (ParamsLogged, TagsSet, MetricsLogged, ArtifactLogged, RecordWritten)


def late_runs(envelopes: Iterable[Envelope], open_runs: Mapping[RunKey, int]) -> frozenset[RunKey]:
    """The runs that have data among these events though they were not open before, or that were reaped before their
    last event. `open_runs` tells when the last one of each open run happened, UTC ns.

    Who has ended the others is not known here.
    """
    begun = set(open_runs)
    reaped_ns: dict[RunKey, int] = {}
    logged_ns: dict[RunKey, int] = {}
    for envelope in envelopes:
        key, event = envelope.run_key, envelope.event
        if key is None:
            continue
        if isinstance(event, RunStarted):
            begun.add(key)
        elif isinstance(event, RunReaped):
            reaped_ns.setdefault(key, envelope.occurred_at_ns)
        elif isinstance(event, _DATA):
            logged_ns[key] = max(envelope.occurred_at_ns, logged_ns.get(key, 0))
    too_late = {
        key for key, at_ns in reaped_ns.items() if max(logged_ns.get(key, 0), open_runs.get(key, 0)) > at_ns
    }
    return frozenset(logged_ns.keys() - begun | too_late)
