"""Copying one run from a store to another: found or made, filled, ended, in this order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from ..domain.errors import PathTaken, RunNotFound
from ..domain.run_content import is_link
from ..domain.store_writes import MetricPoint, RecordBatch
from ..domain.stored_run import Lifecycle, StoredRun
from ..domain.vocabulary import Vocabulary
from ..ports.migration_ledger import Copy, MigrationLedger
from ..ports.tracking_store import NewRun
from .file_copying import copy_files
from .migration_ends import CopiedRun, Copies, Destination, Source
from .storable import FittedRecords, as_recorded, histories


class RunCopier:
    """Copies runs once each, however often it is asked and wherever it was stopped before.

    A parent that is not in `lifecycles` comes along with its child.
    """

    def __init__(
        self,
        source: Source,
        destination: Destination,
        copies: Copies,
        ledger: MigrationLedger,
        vocabulary: Vocabulary,
        stage: Path,
        lifecycles: frozenset[Lifecycle],
    ) -> None:
        self._source = source
        self._destination = destination
        self._records = FittedRecords(destination.runs, destination.files, vocabulary)
        self._copies = copies
        self._ledger = ledger
        self._vocabulary = vocabulary
        self._stage = stage
        self._lifecycles = lifecycles
        self._settled: set[str] = set()

    def is_done(self, run: StoredRun) -> bool:
        """Whether all of the run is at the destination, by the ledger. A run that goes on is never done."""
        copy = self._copies.of(run.run_id)
        if copy is None:
            return False
        if copy.lifecycle is Lifecycle.DELETED and run.lifecycle is Lifecycle.DELETED:
            return True  # deleting is the last that is done to a copy
        return run.status.terminal and self._ledger.get(run.run_id) == Copy(copy.run_id, _state(run))

    def copy(self, run: StoredRun) -> None:
        """Copy the run, or what is missing of it. Raises the TrackingError and ArtifactError trees."""
        self._bring_up_to_date(run, self._ensured(run))

    def _ensured(self, run: StoredRun) -> str:
        """The copy's id: the parents that have no copy yet are made first, and those out of scope filled."""
        chain = [run]
        while (parent := self._parent(chain[-1])) is not None and all(
            parent.run_id != child.run_id for child in chain
        ):
            chain.append(parent)
        for each in reversed(chain[1:]):
            made = self._made(each)
            if each.lifecycle not in self._lifecycles and not self.is_done(each):
                self._bring_up_to_date(each, made)
            self._settled.add(each.run_id)
        made = self._made(run)
        self._settled.add(run.run_id)
        return made

    def _parent(self, run: StoredRun) -> StoredRun | None:
        """The parent, unless all that a child needs of it was done before."""
        if run.parent_id is None or run.parent_id in self._settled:
            return None
        try:
            return self._source.runs.get_run(run.parent_id)
        except RunNotFound:
            self._settled.add(run.parent_id)
            return None

    def _known(self, run: StoredRun) -> str | None:
        """The copy by its tag, else by the ledger: a search may not see yet what was made a moment ago."""
        self._copies.look(run.experiment)
        copy = self._copies.of(run.run_id)
        if copy is not None:
            return copy.run_id
        noted = self._ledger.get(run.run_id)
        if noted is None:
            return None
        try:
            found = self._destination.runs.get_run(noted.run_id)
        except RunNotFound:
            return None
        key, given_up = self._given_up(run)
        if found.tags.get(key) == given_up:
            self._destination.runs.delete_run(found.run_id)  # it was stopped before it could
            return None
        self._copies.add(run.run_id, CopiedRun(found.run_id, found.experiment, found.status, found.lifecycle))
        return found.run_id

    def _made(self, run: StoredRun) -> str:
        return self._known(run) or self._new_copy(run)

    def _new_copy(self, run: StoredRun) -> str:
        parent = None if run.parent_id is None else self._copies.of(run.parent_id)
        key, mark = self._copies.tag(run.run_id)
        copy_id = self._destination.runs.create_run(
            NewRun(
                run_key=None,
                experiment=run.experiment,
                name=run.name or run.run_id,
                started_at_ms=run.started_at_ms,
                tags={key: mark},
                parent_id=run.parent_id if parent is None else parent.run_id,
                named_by=key,
            )
        )
        self._ledger.put(run.run_id, Copy(copy_id))
        self._copies.add(run.run_id, CopiedRun(copy_id, run.experiment))
        return copy_id

    def _bring_up_to_date(self, run: StoredRun, copy_id: str) -> None:
        """Fill the copy; where its store writes a file once, and holds another's bytes or none at a file's path, a new
        copy in its place.
        """
        try:
            self._fill(run, copy_id)
        except PathTaken:
            self._give_up(run, copy_id)
            self._fill(run, self._new_copy(run))

    def _give_up(self, run: StoredRun, copy_id: str) -> None:
        """Put a copy in the bin, as one of no run."""
        store = self._destination.runs
        store.record(copy_id, RecordBatch(tags=dict([self._given_up(run)])))
        store.delete_run(copy_id)
        self._copies.drop(run.run_id, copy_id)

    def _given_up(self, run: StoredRun) -> tuple[str, str]:
        """What a copy carries in place of its mark, which another one gets."""
        key, mark = self._copies.tag(run.run_id)
        return key, f"given up: {mark}"

    def _fill(self, run: StoredRun, copy_id: str) -> None:
        """Everything, then the end: whoever sees the copy ended sees all of it."""
        store, files = self._destination.runs, self._destination.files
        whole = as_recorded(run, self._source.files, self._vocabulary)
        marks = self._vocabulary.read_keys("run.migrated_from")
        tags = {k: v for k, v in whole.tags.items() if not is_link(k) and k not in marks}
        points = self._points(run)
        self._records.record(copy_id, RecordBatch(whole.params, next(points, ()), tags))
        for some in points:
            self._records.record(copy_id, RecordBatch(metrics=some))
        copy_files(self._source.files, run.run_id, files, copy_id, self._stage)
        if run.status.terminal:
            store.end_run(copy_id, run.status, end_of(run))
        if run.lifecycle is Lifecycle.DELETED:
            store.delete_run(copy_id)
        self._ledger.put(run.run_id, Copy(copy_id, _state(run)))

    def _points(self, run: StoredRun) -> Iterator[tuple[MetricPoint, ...]]:
        """All points of all metrics, in full requests."""
        size = self._destination.runs.capabilities.metrics_per_batch
        held: list[MetricPoint] = []
        for _, history in histories(run, self._source.runs, self._source.files, self._vocabulary):
            held += history
            while len(held) >= size:
                yield tuple(held[:size])
                del held[:size]
        if held:
            yield tuple(held)


def end_of(run: StoredRun) -> int:
    """When the run ended; one that does not say so ended when it began."""
    return run.started_at_ms if run.ended_at_ms is None else run.ended_at_ms


def _state(run: StoredRun) -> str:
    """What the source says of the run in one answer: while it says the same, a copy stays whole."""
    metrics = {name: float(value).hex() for name, value in run.metrics.items()}
    said = [run.name, run.status, run.lifecycle, run.started_at_ms, run.ended_at_ms, run.parent_id]
    text = json.dumps([*said, run.tags, run.params, metrics], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
