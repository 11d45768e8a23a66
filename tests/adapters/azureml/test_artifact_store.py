"""The artifact store on a workspace keeps the port's contract, and survives what breaks off."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from azureml_stand_in.workspace import URI, Workspace
from faults.http_faults import AnswerAfter
from studbook.adapters.azureml.artifact_store import AzureArtifactStore
from studbook.adapters.azureml.tracking_store import azure_tracking_store
from studbook.adapters.azureml.workspace import Workspace as Target
from studbook.adapters.mlflow.patience import ONCE
from studbook.domain.errors import RunNotFound, TrackingUnavailable
from studbook.ports.artifact_store import ArtifactStore
from studbook.ports.contract.artifact_store import (
    TREE,
    ArtifactStoreContract,
    MakeRun,
    make_manifest,
    write_tree,
)
from studbook.ports.contract.tracking_examples import RUN_KEY_TAG, fresh_name, new_run


@pytest.fixture
def target(workspace: Workspace) -> Target:
    """The stand-in's workspace."""
    return Target.of(URI, credential="environment", cloud="AzureCloud")


@pytest.fixture
def store(target: Target) -> Iterator[AzureArtifactStore]:
    """A store of files in it, that asks once."""
    store = AzureArtifactStore(target, workers=2, patience=ONCE)
    yield store
    store.close()


@pytest.fixture
def make_run(target: Target) -> MakeRun:
    """Makes runs in it."""
    runs = azure_tracking_store(target, run_key_tag=RUN_KEY_TAG)
    experiment = fresh_name()
    return lambda: runs.create_run(new_run(experiment))


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


def test_a_lost_reply_to_the_registration_of_a_file_is_no_harm(
    store: AzureArtifactStore, make_run: MakeRun, workspace: Workspace, tmp_path: Path
) -> None:
    run_id, manifest = make_run(), make_manifest("model", TREE)
    workspace.on("/batch/metadata", AnswerAfter(503))
    source = write_tree(tmp_path / "source", TREE)
    try:
        stored = store.put(run_id, source, manifest)
    except TrackingUnavailable:
        stored = store.put(run_id, source, manifest)
    store.fetch(run_id, stored, tmp_path / "fetched")
    assert store.manifests(run_id) == (stored,)


def test_an_upload_that_broke_off_leaves_its_name_and_the_next_try_takes_another(
    store: AzureArtifactStore, make_run: MakeRun, workspace: Workspace, tmp_path: Path
) -> None:
    run_id, manifest = make_run(), make_manifest("model", TREE)
    source = write_tree(tmp_path / "source", TREE)
    workspace.artifacts.life = timedelta(hours=-1)
    with pytest.raises(TrackingUnavailable) as caught:
        store.put(run_id, source, manifest)
    assert "sig=" not in str(caught.value)
    workspace.artifacts.forget()
    stored = store.put(run_id, source, manifest)
    assert stored.revision == 2
    store.fetch(run_id, stored, tmp_path / "fetched")


def test_a_run_that_is_not_there_is_told(store: AzureArtifactStore) -> None:
    with pytest.raises(RunNotFound):
        store.list_files("0" * 32)
