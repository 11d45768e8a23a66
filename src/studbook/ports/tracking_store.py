"""The tracking store: runs with params, metrics and tags, found again completely."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from ..domain.keys import RunKey
from ..domain.run import RunStatus
from ..domain.store_writes import MetricPoint, RecordBatch
from ..domain.stored_run import StoredRun
from .capabilities import Capabilities
from .run_query import RunQuery


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to create. `tags` hold its run key under the vocabulary's key; `parent_id` is a backend id.

    `adopt` is the backend id of a run that may become this one instead, `adopt_ended` even if it has ended.
    A run that has no run key, or shares it with another, is named by another of its tags: `named_by` is the key
    of that one.
    """

    run_key: RunKey | None
    experiment: str
    name: str
    started_at_ms: int
    tags: dict[str, str]
    parent_id: str | None = None
    adopt: str | None = None
    adopt_ended: bool = False
    named_by: str | None = None

    def identity(self, run_key_tag: str) -> tuple[str, str]:
        """The tag, with its value, that one run of the experiment has. Raises ValueError when nothing names it."""
        if self.run_key is not None:
            return run_key_tag, str(self.run_key)
        if self.named_by not in self.tags:
            raise ValueError("a run without a run key is named by one of its tags")
        return self.named_by, self.tags[self.named_by]


class TrackingStore(Protocol):
    """Every method raises the TrackingError tree: TrackingUnavailable when repeating may help (and is safe),
    TrackingRefused and its children when it will not.
    """

    @property
    def capabilities(self) -> Capabilities:
        """The backend's limits."""
        ...

    def ensure_experiment(self, name: str) -> None:
        """Make the experiment if it is missing. Raises ExperimentDeleted when a deleted one holds the name."""
        ...

    def create_run(self, new: NewRun) -> str:
        """The backend id of the one run with this identity: found (deleted ones included), adopted, else created.

        The run to adopt is taken if it has this key already, or is RUNNING (or `adopt_ended`), active and without a
        key: it gets the tags, and keeps its name, experiment, start and all else. Otherwise it is as if none had
        been named.
        Creates the experiment when it is missing. Raises ExperimentDeleted when its name is held by a deleted
        one, RunDeleted when the run with this identity was deleted.
        """
        ...

    def record(self, run_id: str, batch: RecordBatch) -> None:
        """Add params, metric points and tags; any size, split to the limits here. Idempotent.

        Raises ParamRefused when the run holds another value for a param (nothing else is lost: metrics and tags
        of the batch are stored); RunNotFound; RunDeleted. A terminal run still takes records.
        """
        ...

    def end_run(self, run_id: str, status: RunStatus, ended_at_ms: int) -> None:
        """End the run, by compare-and-set: the same end twice is one end, another raises RunEnded."""
        ...

    def get_run(self, run_id: str) -> StoredRun:
        """The run, active or deleted. Raises RunNotFound."""
        ...

    def find(self, query: RunQuery) -> Iterator[StoredRun]:
        """All matches, in the query's order, each once; complete, or an error."""
        ...

    def metric_history(self, run_id: str, name: str) -> tuple[MetricPoint, ...]:
        """All points of one metric, ordered by (step, timestamp, value), NaN last."""
        ...

    def experiments(self) -> tuple[str, ...]:
        """The names of all active experiments, sorted."""
        ...

    def delete_run(self, run_id: str) -> None:
        """Put the run in the bin; twice is once. Raises RunNotFound."""
        ...

    def run_url(self, run: StoredRun) -> str | None:
        """A page that shows the run, or None where there is none."""
        ...

    def close(self) -> None:
        """Give back connections. Closing twice is fine."""
        ...
