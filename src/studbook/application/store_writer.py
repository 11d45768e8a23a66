"""Applies the projection's writes to the stores, merging neighbours into full batches."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

import rfc8785

from ..domain.errors import (
    ArtifactInvalid,
    HomeUnusable,
    RunEnded,
    RunNotFound,
    StudbookError,
    TrackingRefused,
    TrackingUnavailable,
)
from ..domain.keys import RunKey
from ..domain.run import EndReason
from ..domain.store_writes import (
    CreateRun,
    EndRun,
    MetricPoint,
    RecordBatch,
    RecordRun,
    StoreWrite,
    UploadArtifact,
    WriteRecord,
)
from ..domain.stored_run import Lifecycle
from ..domain.vocabulary import Vocabulary
from ..ports.artifact_store import ArtifactStore
from ..ports.clock import Clock
from ..ports.delivery_ledger import DeliveryLedger
from ..ports.event_log import EventLog
from ..ports.log import get_logger
from ..ports.pins import Pins
from ..ports.run_query import ANY_STATUS, RunQuery
from ..ports.tracking_store import NewRun, TrackingStore
from .rekeying import Rekeying
from .spill import is_spilled, spill
from .storable import FittedRecords

_log = get_logger(__name__)


class RunUnknown(StudbookError):
    """A run that a write needs (its own, or its parent) is not in the store; `missing` is its key."""

    def __init__(self, missing: RunKey) -> None:
        super().__init__(
            f"run {missing} is not delivered",
            cure="deliver the journal that holds its beginning",
        )
        self.missing = missing


class StoreWriter:
    """Writes to one target. Every write may be repeated; the effect is that of writing once.

    A run that cannot keep its key gets another, which is noted in `log`.
    """

    def __init__(
        self,
        store: TrackingStore,
        artifacts: ArtifactStore,
        ledger: DeliveryLedger,
        pins: Pins,
        vocabulary: Vocabulary,
        log: EventLog,
        clock: Clock,
    ) -> None:
        self._store = store
        self._artifacts = artifacts
        self._ledger = ledger
        self._pins = pins
        self._vocabulary = vocabulary
        self._records = FittedRecords(store, artifacts, vocabulary)
        self._rekeying = Rekeying(store, ledger, vocabulary, log, clock)
        self._parent = ("", "")  # the last one, and its experiment: children come one after the other

    def write(self, writes: Iterable[StoreWrite]) -> None:
        """Apply all, in order. Records of one run are held until something else of that run must follow."""
        held: dict[RunKey, list[RecordBatch]] = {}
        for write in writes:
            match write:
                case RecordRun():
                    held.setdefault(write.run_key, []).append(write.batch)
                case CreateRun():
                    self._create(write)
                case WriteRecord():
                    self._artifacts.put_record(self._run_id(write.run_key), write.path, _canonical(write))
                case UploadArtifact():
                    self._upload(write)
                    held.setdefault(write.run_key, []).append(RecordBatch(tags=write.tags))
                case EndRun():
                    self._end(write, held.pop(write.run_key, []))
        for run_key, batches in held.items():
            self._record(run_key, batches)

    def mark_late(self, run_key: RunKey) -> None:
        """Note on a run that was reaped that more of it came afterwards; nothing on a run that ended otherwise."""
        run_id = self._ledger.run_id(run_key)
        if run_id is None:
            return
        # Nobody misses the note on a run that is gone.
        with contextlib.suppress(RunNotFound, TrackingRefused):
            reason = self._vocabulary.find("run.end_reason", self._store.get_run(run_id).tags)
            if reason is not None and reason[1] == EndReason.LOST:
                tags = dict([self._vocabulary.write("run.late_events", True)])
                self._store.record(run_id, RecordBatch(tags=tags))

    def release(self, writes: Iterable[StoreWrite]) -> None:
        """Give up the pinned bytes of uploads that are stored; asked for again, they are found in the store."""
        for write in writes:
            if isinstance(write, UploadArtifact):
                try:
                    self._pins.release(write.pin)
                except HomeUnusable as error:
                    # They take space, and keep nobody from delivering.
                    _log.warning("delivered files stay in the home", problem=error.problem, cure=error.cure)

    def _create(self, write: CreateRun) -> None:
        if self._ledger.run_id(write.run_key) is not None:
            return
        parent_id = None if write.parent is None else self._parent_id(write, write.parent)
        experiment = write.experiment if parent_id is None else self._experiment_below(parent_id, write)
        longest = self._store.capabilities.tag_value_length
        # What must spill has no run to spill to yet; it follows with the run's first record.
        tags = {
            key: text
            for key, text in self._rekeying.settled(write.run_key, write.tags).items()
            if not is_spilled(text, longest)
        }
        run_id = self._rekeying.create(
            write,
            NewRun(
                write.run_key,
                experiment,
                write.name,
                write.started_at_ms,
                tags,
                parent_id,
                write.adopt,
                write.adopt_ended,
            ),
        )
        if run_id == write.adopt:
            self._store.record(run_id, RecordBatch(tags=write.adopted_tags))
        elif write.adopt is not None:
            _log.warning("run not adopted", run=str(write.run_key), asked_for=write.adopt, instead=run_id)
        self._ledger.bind(write.run_key, run_id)

    def _experiment_below(self, parent_id: str, write: CreateRun) -> str:
        """The child's experiment: an adopted parent may be in another one than was known when the child began."""
        if not self._store.capabilities.children_beside_parent:
            return write.experiment
        known, experiment = self._parent
        if known != parent_id:
            try:
                experiment = self._store.get_run(parent_id).experiment
            except RunNotFound:
                return write.experiment
            self._parent = parent_id, experiment
        return experiment

    def _parent_id(self, write: CreateRun, parent: RunKey) -> str:
        known = self._ledger.run_id(parent) or self._search(parent, write.experiment)
        if known is None:
            raise RunUnknown(parent)
        return known

    def _search(self, run_key: RunKey, experiment: str) -> str | None:
        """The run that another home delivered; a deleted one only where there is no other."""
        found: dict[Lifecycle, str] = {}
        for key in self._vocabulary.read_keys("run.key"):
            query = RunQuery(
                experiments=(experiment,),
                statuses=ANY_STATUS,
                tags={key: run_key},
                lifecycles=frozenset(Lifecycle),
                tag_fields=frozenset(),
                param_fields=frozenset(),
                metric_fields=frozenset(),
            )
            for run in self._store.find(query):
                found.setdefault(run.lifecycle, run.run_id)
        return found.get(Lifecycle.ACTIVE) or found.get(Lifecycle.DELETED)

    def _run_id(self, run_key: RunKey) -> str:
        run_id = self._ledger.run_id(run_key)
        if run_id is None:
            raise RunUnknown(run_key)
        return run_id

    def _record(self, run_key: RunKey, batches: list[RecordBatch]) -> None:
        run_id = self._run_id(run_key)
        for batch in _merge(batches):
            settled = replace(batch, tags=self._rekeying.settled(run_key, batch.tags))
            self._records.record(run_id, settled)

    def _end(self, write: EndRun, batches: list[RecordBatch]) -> None:
        """Record, then end: whoever sees the run ended sees all of it. Another end leaves no trace."""
        run_id = self._run_id(write.run_key)
        last = RecordBatch(tags=self._rekeying.settled(write.run_key, write.tags))
        if self._ends_by_itself(run_id):
            self._record(write.run_key, [*batches, last])
            return
        if last:
            limits = self._store.capabilities
            self._refuse_other_end(run_id, write, spill(last, run_id, limits, self._artifacts))
        self._record(write.run_key, [*batches, last])
        self._store.end_run(run_id, write.status, write.ended_at_ms)

    def _ends_by_itself(self, run_id: str) -> bool:
        """Whether the end of the run is left to the service whose job it is."""
        return self._store.capabilities.ends_job_runs and (
            self._vocabulary.find("run.ended_by", self._store.get_run(run_id).tags) is not None
        )

    def _refuse_other_end(self, run_id: str, write: EndRun, last: RecordBatch) -> None:
        run = self._store.get_run(run_id)
        if run.status.terminal and (
            run.status is not write.status or any(run.tags.get(k, v) != v for k, v in last.tags.items())
        ):
            raise RunEnded(
                f"run {run_id} has ended {run.status} already, otherwise",
                cure="more work is a new attempt: open a new run",
                run=run_id,
            )

    def _upload(self, write: UploadArtifact) -> None:
        try:
            self._artifacts.put(self._run_id(write.run_key), self._pins.path(write.pin), write.manifest)
        except TrackingUnavailable as error:
            error.details["transfer"] = True
            raise


def _canonical(write: WriteRecord) -> bytes:
    try:
        return rfc8785.dumps(write.content)
    except rfc8785.CanonicalizationError as error:
        raise ArtifactInvalid(
            f"{write.path} holds a value that canonical JSON cannot write",
            cure="report it, with the event: records hold finite numbers below 2**53 only",
        ) from error


def _merge(batches: Iterable[RecordBatch]) -> Iterator[RecordBatch]:
    """As few batches as possible; a param that changes its value starts another, so that the store sees it."""
    params: dict[str, str] = {}
    metrics: list[MetricPoint] = []
    tags: dict[str, str] = {}
    for batch in batches:
        if any(params.get(name, text) != text for name, text in batch.params.items()):
            yield RecordBatch(params, tuple(metrics), tags)
            params, metrics, tags = {}, [], {}
        params.update(batch.params)
        metrics.extend(batch.metrics)
        tags.update(batch.tags)
    last = RecordBatch(params, tuple(metrics), tags)
    if last:
        yield last
