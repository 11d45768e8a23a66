"""Between a record of any size and a backend's limits: long values and large numbers are kept in files of the run."""

from __future__ import annotations

from dataclasses import replace

from ..domain.errors import ParamRefused
from ..domain.store_writes import RecordBatch
from ..domain.stored_run import StoredRun
from ..domain.vocabulary import Vocabulary
from ..ports.artifact_store import ArtifactStore
from ..ports.run_source import FileSource
from ..ports.tracking_store import TrackingStore
from .param_room import fitted_params, with_all_params
from .spill import join, spill
from .tag_room import fitted_tags, with_all_tags


def record(
    batch: RecordBatch, run_id: str, store: TrackingStore, artifacts: ArtifactStore, vocabulary: Vocabulary
) -> None:
    """Record the batch within the store's limits; what is too much for it is stored as files of the run.

    Raises what TrackingStore.record does.
    """
    limits = store.capabilities
    most_params = limits.params_per_run if batch.params else None
    most_tags = None if all(map(vocabulary.is_reserved, batch.tags)) else limits.tags_per_run
    conflicts: tuple[str, ...] = ()
    if most_params is not None or most_tags is not None:
        held = join(store.get_run(run_id), artifacts)
        if most_tags is not None:
            batch = replace(batch, tags=fitted_tags(batch.tags, held, most_tags, vocabulary))
        if most_params is not None:
            fitted = fitted_params(batch.params, held, most_params, vocabulary)
            batch = replace(batch, params=fitted.params, tags={**batch.tags, **fitted.tags})
            conflicts = fitted.conflicts
    store.record(run_id, spill(batch, run_id, limits, artifacts))
    if conflicts:
        raise ParamRefused(
            f"the run {run_id} holds other values for the params {', '.join(conflicts)}",
            cure="params never change: open a new run for other values",
            run_id=run_id,
            params=conflicts,
        )


def as_recorded(run: StoredRun, files: FileSource, vocabulary: Vocabulary) -> StoredRun:
    """The run as it was recorded: the inverse of `record`. Raises SpillMissing, MalformedRun."""
    return with_all_params(with_all_tags(join(run, files), vocabulary), vocabulary)
