"""The artifact store on MLflow keeps the contract: on plain files, and through MLflow's repositories."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from studbook.adapters.mlflow.artifact_store import MlflowArtifactStore
from studbook.adapters.mlflow.patience import Patience
from studbook.adapters.mlflow.repository_run_files import RepositoryRunFiles
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.domain.errors import RunNotFound, TrackingRefused, TrackingUnavailable, UnsupportedTarget
from studbook.domain.keys import RunKey
from studbook.ports.artifact_store import ArtifactStore
from studbook.ports.contract.artifact_store import (
    TREE,
    ArtifactStoreContract,
    MakeRun,
    make_manifest,
    read_tree,
    write_tree,
)
from studbook.ports.tracking_store import NewRun


@pytest.fixture
def tracking(empty_database: Path, tmp_path: Path) -> Iterator[MlflowTrackingStore]:
    folder = tmp_path / "tracking"
    folder.mkdir()
    shutil.copy(empty_database, folder / "mlflow.db")
    store = MlflowTrackingStore(f"sqlite:///{folder / 'mlflow.db'}", run_key_tag="studbook.run.key")
    yield store
    store.close()


@pytest.fixture
def make_run(tracking: MlflowTrackingStore) -> MakeRun:
    numbers = itertools.count()

    def make() -> str:
        key = RunKey.of({"number": next(numbers)})
        return tracking.create_run(NewRun(key, "artifacts", "run", 1, {}))

    return make


@pytest.fixture
def local_store(tracking: MlflowTrackingStore, tmp_path: Path) -> Iterator[MlflowArtifactStore]:
    store = MlflowArtifactStore(f"sqlite:///{tmp_path / 'tracking' / 'mlflow.db'}")
    yield store
    store.close()


def artifact_folder(tmp_path: Path, run_id: str) -> Path:
    return tmp_path / "tracking" / "mlartifacts" / "artifacts" / run_id / "artifacts"


class TestLocalArtifacts(ArtifactStoreContract):
    @pytest.fixture
    def make_run(self, make_run: MakeRun, tmp_path: Path) -> MakeRun:
        self.folder = tmp_path
        return make_run

    @pytest.fixture
    def store(self, local_store: MlflowArtifactStore) -> ArtifactStore:
        return local_store

    def corrupt(self, store: ArtifactStore, run_id: str, path: str, content: bytes | None) -> None:
        place = artifact_folder(self.folder, run_id) / path
        if content is None:
            place.unlink()
        else:
            place.write_bytes(content)


class ThroughRepository(MlflowArtifactStore):
    """Local artifacts, but reached as a bucket would be."""

    def _files(self, run_id: str, patience: Patience | None = None) -> RepositoryRunFiles:
        from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

        run = super()._files(run_id, patience)
        return RepositoryRunFiles(LocalArtifactRepository(str(run._root)))  # type: ignore[attr-defined]


class TestRepositoryArtifacts(TestLocalArtifacts):
    @pytest.fixture
    def store(self, tracking: MlflowTrackingStore, tmp_path: Path) -> Iterator[ArtifactStore]:
        store = ThroughRepository(f"sqlite:///{tmp_path / 'tracking' / 'mlflow.db'}", workers=2)
        yield store
        store.close()


def test_mlflows_own_client_finds_the_files(
    local_store: MlflowArtifactStore, make_run: MakeRun, tmp_path: Path
) -> None:
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    run_id = make_run()
    local_store.put(run_id, write_tree(tmp_path / "source", TREE), make_manifest("checkpoint", TREE))
    repository = LocalArtifactRepository(str(artifact_folder(tmp_path, run_id)))
    (tmp_path / "fetched").mkdir()
    fetched = repository.download_artifacts("checkpoint", str(tmp_path / "fetched"))  # type: ignore[no-untyped-call]
    assert read_tree(Path(fetched)) == TREE


def test_plain_files_take_names_that_a_url_cannot(
    local_store: MlflowArtifactStore, make_run: MakeRun, tmp_path: Path
) -> None:
    run_id = make_run()
    files = {"100%25.txt": b"1", "a#b.txt": b"2"}
    stored = local_store.put(run_id, write_tree(tmp_path / "source", files), make_manifest("odd", files))
    local_store.fetch(run_id, stored, tmp_path / "fetched")
    assert read_tree(tmp_path / "fetched") == files


def test_a_repository_refuses_names_that_it_would_change(
    tracking: MlflowTrackingStore, make_run: MakeRun, tmp_path: Path
) -> None:
    store = ThroughRepository(f"sqlite:///{tmp_path / 'tracking' / 'mlflow.db'}")
    source = write_tree(tmp_path / "source", {"a#b.txt": b"2", "c": b"3"})
    run_id = make_run()
    with pytest.raises(TrackingRefused):
        store.put(run_id, source, make_manifest("odd", {"a#b.txt": b"2", "c": b"3"}))
    assert store.manifests(run_id) == ()
    store.close()


def test_an_unknown_run_is_told(local_store: MlflowArtifactStore) -> None:
    with pytest.raises(RunNotFound):
        local_store.list_files("0" * 32)


def test_an_artifact_folder_that_does_not_work_is_an_outage(
    local_store: MlflowArtifactStore, make_run: MakeRun, tmp_path: Path
) -> None:
    run_id = make_run()
    artifact_folder(tmp_path, run_id).parent.mkdir(parents=True)
    artifact_folder(tmp_path, run_id).write_bytes(b"a file where the folder should be")
    source = write_tree(tmp_path / "source", TREE)
    with pytest.raises(TrackingUnavailable):
        local_store.put(run_id, source, make_manifest("checkpoint", TREE))


def test_a_target_that_is_not_mlflows_is_refused() -> None:
    with pytest.raises(UnsupportedTarget):
        MlflowArtifactStore("azureml://somewhere")
