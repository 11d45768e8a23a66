"""Between a record of any size and a backend's limits: what is too long, or too much, is kept in files of the run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..domain.errors import ParamRefused
from ..domain.store_writes import MetricPoint, RecordBatch
from ..domain.stored_run import StoredRun
from ..domain.vocabulary import Vocabulary
from ..ports.artifact_store import ArtifactStore
from ..ports.run_source import FileSource, RunSource
from ..ports.tracking_store import TrackingStore
from .metric_room import fitted_metrics, more_histories, with_all_metrics
from .param_room import fitted_params, with_all_params
from .spill import join, spill
from .tag_room import fitted_tags, with_all_tags

_MOST_RUNS = 1000


class FittedRecords:
    """Records batches of any size. One at a time; asks what a run holds only where the backend's numbers need it."""

    def __init__(self, store: TrackingStore, artifacts: ArtifactStore, vocabulary: Vocabulary) -> None:
        self._store = store
        self._artifacts = artifacts
        self._vocabulary = vocabulary
        self._measured: dict[str, frozenset[str]] = {}

    def record(self, run_id: str, batch: RecordBatch) -> None:
        """Record the batch. Raises what TrackingStore.record does."""
        conflicts: tuple[str, ...] = ()
        if self._may_be_too_many(run_id, batch):
            held = join(self._store.get_run(run_id), self._artifacts)
            batch, conflicts = self._fitted(batch, held)
        self._store.record(run_id, spill(batch, run_id, self._store.capabilities, self._artifacts))
        self._remember(run_id, batch)
        if conflicts:
            raise ParamRefused(
                f"the run {run_id} holds other values for the params {', '.join(conflicts)}",
                cure="params never change: open a new run for other values",
                run_id=run_id,
                params=conflicts,
            )

    def _may_be_too_many(self, run_id: str, batch: RecordBatch) -> bool:
        limits = self._store.capabilities
        known = self._measured.get(run_id, frozenset())
        return (
            (limits.params_per_run is not None and bool(batch.params))
            or (limits.tags_per_run is not None and not all(map(self._vocabulary.is_reserved, batch.tags)))
            or (limits.metrics_per_run is not None and not known.issuperset(p.name for p in batch.metrics))
        )

    def _fitted(self, batch: RecordBatch, held: StoredRun) -> tuple[RecordBatch, tuple[str, ...]]:
        """What is to be written, and the params of which the run holds other values."""
        limits, vocabulary = self._store.capabilities, self._vocabulary
        conflicts: tuple[str, ...] = ()
        if limits.tags_per_run is not None:
            batch = replace(batch, tags=fitted_tags(batch.tags, held, limits.tags_per_run, vocabulary))
        if limits.params_per_run is not None:
            fitted = fitted_params(batch.params, held, limits.params_per_run, vocabulary)
            batch = replace(batch, params=fitted.params, tags={**batch.tags, **fitted.tags})
            conflicts = fitted.conflicts
        if limits.metrics_per_run is not None:
            batch = fitted_metrics(batch, held, limits.metrics_per_run, vocabulary, self._artifacts)
        return batch, conflicts

    def _remember(self, run_id: str, batch: RecordBatch) -> None:
        """Names that are stored have room for good."""
        if self._store.capabilities.metrics_per_run is None:
            return
        if len(self._measured) >= _MOST_RUNS:
            self._measured.clear()
        known = self._measured.get(run_id, frozenset())
        self._measured[run_id] = known.union(point.name for point in batch.metrics)


def as_recorded(run: StoredRun, files: FileSource, vocabulary: Vocabulary) -> StoredRun:
    """The run as it was recorded: the inverse of `FittedRecords`. Raises SpillMissing, MalformedRun."""
    joined = with_all_tags(join(run, files), vocabulary)
    return with_all_metrics(with_all_params(joined, vocabulary), vocabulary)


def histories(
    run: StoredRun, runs: RunSource, files: FileSource, vocabulary: Vocabulary
) -> Iterator[tuple[str, tuple[MetricPoint, ...]]]:
    """All points of all metrics of a run that was read from `runs`, by name, in the order of names."""
    more = more_histories(join(run, files), vocabulary, files)
    for name in sorted(run.metrics.keys() | more.keys()):
        yield name, runs.metric_history(run.run_id, name) if name in run.metrics else more[name]
