"""Reading both sides of a migration back, run by run, and telling what differs."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ..domain.errors import ArtifactError, MalformedRun, SpillMissing
from ..domain.run_content import RunContent, is_backends_own, series_digest
from ..domain.stored_run import Lifecycle, StoredRun
from ..domain.vocabulary import Vocabulary
from ..ports.run_query import ANY_STATUS, RunQuery
from ..ports.run_source import FileSource, RunSource
from .file_copying import file_digests
from .migration_ends import Copies, Destination, Source
from .migration_report import ExperimentCounts, RunDifference, Verification
from .run_copying import end_of
from .storable import as_recorded, histories

UNREADABLE = (ArtifactError, MalformedRun, SpillMissing)
"""What is wrong with one run, and says nothing about the others."""


class MigrationCheck:
    """Compares the source's runs with their copies. Holds no more than ids of all runs at a time."""

    def __init__(
        self,
        source: Source,
        destination: Destination,
        vocabulary: Vocabulary,
        stage: Path,
        lifecycles: frozenset[Lifecycle],
    ) -> None:
        self._source = source
        self._destination = destination
        self._vocabulary = vocabulary
        self._stage = stage
        self._lifecycles = lifecycles
        self._copies = Copies(source, destination, vocabulary)
        self._digests = hashlib.sha256(), hashlib.sha256()
        self._seen: set[str] = set()

    def __call__(self, on_run: Callable[[], None]) -> Verification:
        """Read everything, once; `on_run` is called after each run of the source."""
        experiments = self._source.runs.experiments()
        for name in experiments:
            self._copies.look(name)
        counts: list[ExperimentCounts] = []
        differences: list[RunDifference] = []
        for name in experiments:
            ours, theirs = Counter[str](), Counter[str]()
            query = RunQuery((name,), ANY_STATUS, lifecycles=self._lifecycles, fresh=True)
            for run in self._source.runs.find(query):
                self._seen.add(run.run_id)
                ours[run.status] += 1
                theirs.update(copy.status for copy in self._copies.all_of(run.run_id))
                differences += self._compared(run)
                on_run()
            counts.append(ExperimentCounts(name, dict(ours), dict(theirs)))
        source_digest, destination_digest = (f"sha256:{digest.hexdigest()}" for digest in self._digests)
        return Verification(
            tuple(counts),
            len(self._seen),
            source_digest,
            destination_digest,
            (*differences, *self._left_over()),
        )

    def _compared(self, run: StoredRun) -> Iterator[RunDifference]:
        copy, *more = self._copies.all_of(run.run_id) or (None,)
        if copy is None:
            yield RunDifference(run.run_id, None, run.experiment, ("no copy",))
            return
        for other in more:
            yield RunDifference(
                run.run_id, other.run_id, run.experiment, ("a second copy: put it in the bin",)
            )
        try:
            ours, theirs = self._contents(run, self._destination.runs.get_run(copy.run_id))
        except UNREADABLE as error:
            yield RunDifference(
                run.run_id, copy.run_id, run.experiment, (f"cannot be read: {error.problem}",)
            )
            return
        digests = ours.digest, theirs.digest
        for of_all, digest in zip(self._digests, digests, strict=True):
            of_all.update(f"{run.run_id} {digest}\n".encode())
        what = ours.differences(theirs)
        if copy.experiment != run.experiment:
            what = (f"experiment is {copy.experiment!r}", *what)
        if what:
            yield RunDifference(run.run_id, copy.run_id, run.experiment, what, *digests)

    def _contents(self, run: StoredRun, copy: StoredRun) -> tuple[RunContent, RunContent]:
        parent = copy.parent_id
        if parent is not None:
            parent = self._copies.source_of(parent) or parent
        return (
            self._content(run, self._source.runs, self._source.files, run.parent_id),
            self._content(copy, self._destination.runs, self._destination.files, parent),
        )

    def _content(self, run: StoredRun, runs: RunSource, files: FileSource, parent: str | None) -> RunContent:
        whole = as_recorded(run, files, self._vocabulary)
        return RunContent(
            name=run.name or run.run_id,
            status=run.status.value,
            lifecycle=run.lifecycle.value,
            started_at_ms=run.started_at_ms,
            ended_at_ms=end_of(run) if run.status.terminal else None,
            parent=parent,
            params=whole.params,
            tags=self._told(whole.tags),
            metrics={
                name: series_digest(history)
                for name, history in histories(run, runs, files, self._vocabulary)
            },
            files=file_digests(files, run.run_id, self._stage),
        )

    def _told(self, tags: Mapping[str, str]) -> dict[str, str]:
        marks = self._vocabulary.read_keys("run.migrated_from")
        return {key: text for key, text in tags.items() if not is_backends_own(key) and key not in marks}

    def _left_over(self) -> Iterator[RunDifference]:
        """Copies of runs that the source does not hold. Those in the bin count if the source's bin does."""
        for source_run, copy in self._copies.items():
            if source_run not in self._seen and copy.lifecycle in self._lifecycles:
                what = (f"its source {source_run} is gone, or not among what was compared",)
                yield RunDifference(None, copy.run_id, copy.experiment, what)
