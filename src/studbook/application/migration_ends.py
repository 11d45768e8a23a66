"""The two stores of a migration, and which runs of the one are copies of the other's."""

from __future__ import annotations

from dataclasses import dataclass

from ..domain.run import RunStatus
from ..domain.stored_run import Lifecycle
from ..domain.vocabulary import Vocabulary
from ..ports.artifact_store import ArtifactStore
from ..ports.run_query import ANY_STATUS, RunQuery
from ..ports.run_source import FileSource, RunSource
from ..ports.tracking_store import TrackingStore

_TAG = "run.migrated_from"


@dataclass(frozen=True, slots=True)
class Source:
    """Where runs come from. `id` names the place, the same every time; `display` does for people. No secrets."""

    runs: RunSource
    files: FileSource
    id: str
    display: str


@dataclass(frozen=True, slots=True)
class Destination:
    """Where runs go. As for a source."""

    runs: TrackingStore
    files: ArtifactStore
    id: str
    display: str


@dataclass(frozen=True, slots=True)
class CopiedRun:
    """A copy at the destination, as it was when it was looked at."""

    run_id: str
    experiment: str
    status: RunStatus = RunStatus.RUNNING
    lifecycle: Lifecycle = Lifecycle.ACTIVE


class Copies:
    """The copies of one source's runs at the destination, by the tag that they carry."""

    def __init__(self, source: Source, destination: Destination, vocabulary: Vocabulary) -> None:
        self._prefix = f"{source.id}/"
        self._runs = destination.runs
        self._vocabulary = vocabulary
        self._looked_at: set[str] = set()
        self._copies: dict[str, list[CopiedRun]] = {}
        self._sources: dict[str, str] = {}

    def tag(self, source_run: str) -> tuple[str, str]:
        """What a copy of this run carries."""
        return self._vocabulary.write(_TAG, f"{self._prefix}{source_run}")

    def look(self, experiment: str) -> None:
        """Find the copies in one experiment, unless that was done."""
        if experiment in self._looked_at:
            return
        self._looked_at.add(experiment)
        query = RunQuery(
            (experiment,),
            ANY_STATUS,
            lifecycles=frozenset(Lifecycle),
            tag_fields=frozenset(self._vocabulary.read_keys(_TAG)),
            param_fields=frozenset(),
            metric_fields=frozenset(),
        )
        for run in self._runs.find(query):
            _, mark = self._vocabulary.find(_TAG, run.tags) or ("", "")
            if mark.startswith(self._prefix):
                copy = CopiedRun(run.run_id, run.experiment, run.status, run.lifecycle)
                self.add(mark.removeprefix(self._prefix), copy)

    def add(self, source_run: str, copy: CopiedRun) -> None:
        """Remember a copy."""
        self._copies.setdefault(source_run, []).append(copy)
        self._sources[copy.run_id] = source_run

    def drop(self, source_run: str, copy_id: str) -> None:
        """Forget a copy."""
        self._copies[source_run] = [copy for copy in self.all_of(source_run) if copy.run_id != copy_id]

    def of(self, source_run: str) -> CopiedRun | None:
        """The copy of a run: one in the bin only where there is no other."""
        return next(iter(self.all_of(source_run)), None)

    def all_of(self, source_run: str) -> tuple[CopiedRun, ...]:
        """The copies of a run, without those in the bin if there is another; more than one is one too many."""
        copies = self._copies.get(source_run, ())
        active = tuple(copy for copy in copies if copy.lifecycle is Lifecycle.ACTIVE)
        return active or tuple(copies[:1])

    def source_of(self, copy_id: str) -> str | None:
        """The run that this one is a copy of, by the source's id."""
        return self._sources.get(copy_id)

    def items(self) -> tuple[tuple[str, CopiedRun], ...]:
        """All copies that were found, with the ids of their sources."""
        return tuple((source, copy) for source, copies in self._copies.items() for copy in copies)
