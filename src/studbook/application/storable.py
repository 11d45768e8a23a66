"""A record as a backend takes it: long values spilled, and tags beyond its number kept together in one."""

from __future__ import annotations

from dataclasses import replace

from ..domain.store_writes import RecordBatch
from ..domain.vocabulary import Vocabulary
from ..ports.artifact_store import ArtifactStore
from ..ports.tracking_store import TrackingStore
from .spill import join, spill
from .tag_room import fitted


def storable(
    batch: RecordBatch, run_id: str, store: TrackingStore, artifacts: ArtifactStore, vocabulary: Vocabulary
) -> RecordBatch:
    """The batch within the store's limits; what is too long for it is stored as files of the run."""
    limits = store.capabilities
    if limits.tags_per_run is not None and not all(map(vocabulary.is_reserved, batch.tags)):
        held = join(store.get_run(run_id), artifacts)
        batch = replace(batch, tags=fitted(batch.tags, held, limits.tags_per_run, vocabulary))
    return spill(batch, run_id, limits, artifacts)
