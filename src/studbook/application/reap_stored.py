"""Ends runs that stand open in the store, and of which this home has no journal: for someone who knows better."""

from __future__ import annotations

from collections.abc import Callable

from ..domain.errors import DeliveryPending
from ..domain.keys import RunKey
from ..domain.run import RunStatus
from ..domain.stage import Stage
from ..domain.stored_run import StoredRun
from ..ports.clock import Clock
from ..ports.delivery_ledger import DeliveryLedger, StartedRun
from ..ports.event_log import EventLog
from ..ports.run_query import RunQuery
from ..ports.tracking_store import TrackingStore
from .project import Project
from .reap import ReapReport, innermost_first, record_ends

_LEASE_S = 60.0
_NEEDED = ("run.writer", "run.key", "run.stage")
_TELLING = (*_NEEDED, "run.ended_by", "run.parent_key")
_MS = 10**6


class ReapStored:
    """The use case. A run's last sign of life is its newest heartbeat or metric in the store.

    Runs without `run.writer` are somebody else's, and so are those of other projects: they are never touched.
    """

    def __init__(
        self,
        log: EventLog,
        ledger: DeliveryLedger,
        store: Callable[[], TrackingStore],
        clock: Clock,
        project: Project,
    ) -> None:
        self._log = log
        self._ledger = ledger
        self._store = store
        self._clock = clock
        self._project = project

    def __call__(
        self, older_than_s: float, *, judged: ReapReport, dry_run: bool = False
    ) -> tuple[StartedRun, ...]:
        """End the project's open runs whose last sign of life is that old by the clock, innermost first; those that
        are `judged` by this home's journal are not looked at.

        Their ends are events of this home, to be delivered. Raises the TrackingError tree, and DeliveryPending when
        another process of this home holds the right to deliver.
        """
        latest_ns = self._clock.now_ns() - int(older_than_s * 1e9)
        known = {run.run_key for run in (*judged.reaped, *(each.run for each in judged.left))}
        dead = {run.run_id: self._dead(run, latest_ns) for run in self._open()}
        found = {run_id: run for run_id, run in dead.items() if run is not None and run.run_key not in known}
        if found and not dry_run:
            self._end(found)
        return innermost_first(found.values())

    def _open(self) -> list[StoredRun]:
        store, vocabulary = self._store(), self._project.vocabulary
        query = RunQuery(
            store.experiments(),
            frozenset({RunStatus.RUNNING}),
            tags={vocabulary.key("run.project"): self._project.name},
            param_fields=frozenset(),
            fresh=True,
        )
        return list(store.find(query))

    def _dead(self, run: StoredRun, latest_ns: int) -> StartedRun | None:
        vocabulary = self._project.vocabulary
        # No others: what is long is in files, and only a mark in its place.
        said = {name: vocabulary.read(name, run.tags, run=run.run_id) for name in _TELLING}
        if any(said[name] is None for name in _NEEDED) or said["run.ended_by"] is not None:
            return None
        run_key = RunKey(str(said["run.key"]))
        # What this home delivered is judged by its journal and leases.
        if self._ledger.run_id(run_key) is not None:
            return None
        seen_ns = self._seen_ns(run, latest_ns)
        if seen_ns > latest_ns:
            return None
        parent = said["run.parent_key"]
        return StartedRun(
            run_key,
            str(said["run.writer"]),
            self._project.name,
            Stage(str(said["run.stage"])),
            None if parent is None else RunKey(str(parent)),
            seen_ns,
        )

    def _seen_ns(self, run: StoredRun, latest_ns: int) -> int:
        """When the run was last heard of; its metrics are asked only when nothing else says that it lives."""
        said = self._project.vocabulary.read("run.last_seen", run.tags, run=run.run_id)
        seen_ms = max(run.started_at_ms, said if isinstance(said, int) else 0)
        for name in run.metrics:
            if seen_ms * _MS > latest_ns:
                break
            points = self._store().metric_history(run.run_id, name)
            seen_ms = max([seen_ms, *(point.timestamp_ms for point in points)])
        return seen_ms * _MS

    def _end(self, found: dict[str, StartedRun]) -> None:
        with self._ledger.lease(_LEASE_S) as held:
            if not held:
                raise DeliveryPending(
                    "runs of the store were not ended: another process of this home is delivering",
                    cure="repeat when the programs that write to this home have ended",
                    pending=0,
                )
            for run_id, run in found.items():
                self._ledger.bind(run.run_key, run_id)
        record_ends(self._log, self._clock, innermost_first(found.values()))
