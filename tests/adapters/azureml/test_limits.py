"""More than a workspace takes for a run is stored, and read back as it was recorded."""

from __future__ import annotations

import pytest

from azureml_stand_in.workspace import URI
from studbook.adapters.azureml.artifact_store import AzureArtifactStore
from studbook.adapters.azureml.tracking_store import AZURE_LIMITS, azure_tracking_store
from studbook.adapters.azureml.workspace import Workspace as Target
from studbook.adapters.memory.artifact_store import MemoryArtifactStore
from studbook.adapters.memory.tracking_store import MemoryTrackingStore
from studbook.application.storable import FittedRecords, as_recorded
from studbook.domain.store_writes import MetricPoint, RecordBatch
from studbook.domain.stored_run import StoredRun
from studbook.domain.vocabulary import DEFAULT_VOCABULARY
from studbook.ports.artifact_store import ArtifactStore
from studbook.ports.contract.tracking_examples import RUN_KEY_TAG, START, fresh_name, new_run
from studbook.ports.tracking_store import TrackingStore

_MUCH = RecordBatch(
    params={f"layer/{number:03d}": "p" * (2 * number) for number in range(300)},
    metrics=tuple(
        MetricPoint(f"class/{number:03d}", step / 2, START + step, step)
        for step in range(3)
        for number in range(70)
    ),
    tags={f"team/{number:03d}": "t" * (20 * number) for number in range(80)},
)


def stored(store: TrackingStore, files: ArtifactStore) -> tuple[StoredRun, StoredRun]:
    """As the store holds it, and as it is read, when much was recorded twice."""
    run_id = store.create_run(new_run(fresh_name()))
    for _ in range(2):
        FittedRecords(store, files, DEFAULT_VOCABULARY).record(run_id, _MUCH)
    held = store.get_run(run_id)
    return held, as_recorded(held, files, DEFAULT_VOCABULARY)


@pytest.mark.usefixtures("workspace")
def test_more_than_a_workspace_takes_is_read_back_whole_as_from_memory_with_its_limits() -> None:
    target = Target.of(URI, credential="environment", cloud="AzureCloud")
    azure = azure_tracking_store(target, run_key_tag=RUN_KEY_TAG), AzureArtifactStore(target)
    memory = MemoryTrackingStore(AZURE_LIMITS, run_key_tag=RUN_KEY_TAG), MemoryArtifactStore(AZURE_LIMITS)
    for held, read in (stored(*azure), stored(*memory)):
        assert (len(held.params), len(held.metrics)) == (200, 50)
        assert len(held.tags) <= 50
        assert read.params == _MUCH.params
        assert read.metrics == {f"class/{number:03d}": 1.0 for number in range(70)}
        assert _MUCH.tags.items() <= read.tags.items()
