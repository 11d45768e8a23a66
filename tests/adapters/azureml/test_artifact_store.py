"""The artifact store on a workspace keeps the port's contract, and survives what breaks off."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from azureml_stand_in.faults import LISTING
from azureml_stand_in.resource_manager import NO_ROLE
from azureml_stand_in.workspace import Workspace
from studbook.adapters.azureml.artifact_store import AzureArtifactStore
from studbook.adapters.azureml.workspace import Workspace as Target
from studbook.adapters.mlflow.patience import ONCE
from studbook.domain.errors import RunNotFound, TrackingDenied
from studbook.ports.artifact_store import ArtifactStore
from studbook.ports.contract.artifact_store import (
    ArtifactStoreContract,
    MakeRun,
)


@pytest.fixture
def store(target: Target) -> Iterator[AzureArtifactStore]:
    """A store of files in it, that asks once."""
    store = AzureArtifactStore(target, workers=2, patience=ONCE)
    yield store
    store.close()


class TestFilesInAWorkspace(ArtifactStoreContract):
    """The port's contract."""

    @pytest.fixture
    def store(self, store: AzureArtifactStore, workspace: Workspace) -> ArtifactStore:
        """The workspace's store."""
        self._workspace = workspace
        return store

    @pytest.fixture
    def make_run(self, make_run: MakeRun) -> MakeRun:
        """Makes runs of the workspace."""
        return make_run

    def corrupt(self, store: ArtifactStore, run_id: str, path: str, content: bytes | None) -> None:
        """Through the blob store's own key."""
        self._workspace.artifacts.plant(run_id, path, content)


def test_a_run_that_is_not_there_is_told(store: AzureArtifactStore) -> None:
    with pytest.raises(RunNotFound):
        store.list_files("0" * 32)


def test_a_missing_role_is_told_with_the_role_that_is_needed(
    store: AzureArtifactStore, workspace: Workspace, make_run: MakeRun
) -> None:
    run_id = make_run()
    workspace.on(LISTING, NO_ROLE)
    with pytest.raises(TrackingDenied) as caught:
        store.list_files(run_id)
    assert "AzureML Data Scientist" in caught.value.cure
