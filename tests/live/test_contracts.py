"""Both stores keep their contracts in a real workspace, as they do in the stand-in."""

from __future__ import annotations

import pytest

from live.answers import ANSWERS
from live.raw_calls import RawCalls
from studbook.adapters.azureml.artifact_store import AzureArtifactStore
from studbook.adapters.azureml.workspace import Workspace
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.ports.artifact_store import ArtifactStore
from studbook.ports.contract.artifact_store import ArtifactStoreContract, MakeRun
from studbook.ports.contract.tracking_examples import fresh_name, new_run
from studbook.ports.contract.tracking_store import TrackingStoreContract
from studbook.ports.tracking_store import TrackingStore


class TestRunsInARealWorkspace(TrackingStoreContract):
    """The port's contract."""

    @pytest.fixture
    def store(self, live_store: MlflowTrackingStore, raw: RawCalls) -> TrackingStore:
        """The workspace's store."""
        self._raw = raw
        return live_store

    def delete_experiment(self, store: TrackingStore, name: str) -> None:
        """By a call that studbook never makes: whether the service takes it, its documents do not say."""
        del store
        found = self._raw.mlflow("experiments/get-by-name", {"experiment_name": name}, "GET")
        told = self._raw.mlflow(
            "experiments/delete", {"experiment_id": found.document["experiment"]["experiment_id"]}
        )
        ANSWERS.tell("deleting an experiment", told)
        if told.status >= 300:
            pytest.skip(f"the workspace deletes no experiments ({told.status})")


class TestFilesInARealWorkspace(ArtifactStoreContract):
    """The port's contract."""

    @pytest.fixture
    def store(self, live_workspace: Workspace) -> ArtifactStore:
        """The workspace's store."""
        return AzureArtifactStore(live_workspace)

    @pytest.fixture
    def make_run(self, live_store: MlflowTrackingStore) -> MakeRun:
        """Makes runs of the workspace."""
        experiment = fresh_name()
        return lambda: live_store.create_run(new_run(experiment))

    def corrupt(self, store: ArtifactStore, run_id: str, path: str, content: bytes | None) -> None:
        """No interface of the service does that; the stand-in does."""
        del store, run_id, path, content
        pytest.skip("bytes in a real workspace cannot be damaged from here")
