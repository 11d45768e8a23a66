"""Artifacts through a server that fails: whole and true, or a typed error and nothing; a repetition succeeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faults.http_faults import Answer, AnswerAfter, Cut, Fault, FaultyProxy, Flip, HangAfter, ResetAfter
from servers.mlflow_server import Server
from studbook.adapters.mlflow.artifact_store import MlflowArtifactStore
from studbook.adapters.mlflow.patience import ONCE, Patience
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.domain.errors import (
    ArtifactNotFound,
    IntegrityError,
    StudbookError,
    TrackingDenied,
    TrackingRefused,
    TrackingUnavailable,
)
from studbook.domain.manifest import ArtifactManifest
from studbook.ports.contract.artifact_store import TREE, make_manifest, read_tree, write_tree
from studbook.ports.contract.tracking_examples import RUN_KEY_TAG, fresh_name, new_run

ARTIFACTS = "/mlflow-artifacts/artifacts/"
MODEL = f"{ARTIFACTS}.*/checkpoint/model.bin"

StoreMaker = Callable[..., MlflowArtifactStore]


@pytest.fixture
def store_at() -> Iterator[StoreMaker]:
    """Makes stores; by default one that asks once, for one file at a time."""
    made: list[MlflowArtifactStore] = []

    def make(uri: str, *, patience: Patience = ONCE, timeout_s: float = 60.0) -> MlflowArtifactStore:
        made.append(MlflowArtifactStore(uri, patience=patience, timeout_s=timeout_s, workers=1))
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture
def store(proxy: FaultyProxy, store_at: StoreMaker) -> MlflowArtifactStore:
    """A store behind the proxy."""
    return store_at(proxy.uri)


@pytest.fixture
def run_id(proxy: FaultyProxy) -> str:
    """A run without files."""
    tracking = MlflowTrackingStore(proxy.uri, run_key_tag=RUN_KEY_TAG)
    created = tracking.create_run(new_run(fresh_name()))
    tracking.close()
    return created


@pytest.fixture
def stored(store: MlflowArtifactStore, run_id: str, tmp_path: Path) -> ArtifactManifest:
    """An artifact of the run."""
    return store.put(run_id, write_tree(tmp_path / "source", TREE), make_manifest("checkpoint", TREE))


def test_everything_goes_through_the_proxy(
    proxy: FaultyProxy, store: MlflowArtifactStore, run_id: str, stored: ArtifactManifest, tmp_path: Path
) -> None:
    store.fetch(run_id, stored, tmp_path / "fetched")
    assert read_tree(tmp_path / "fetched") == TREE
    assert len(proxy.requests(ARTIFACTS, "PUT")) == len(TREE) + 1
    assert len(proxy.requests(ARTIFACTS, "GET")) == len(TREE)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Cut(100, announced=True), TrackingUnavailable),
        (Cut(100, announced=False), IntegrityError),
        (Cut(0, announced=False), IntegrityError),
        (Flip(500), IntegrityError),
        (AnswerAfter(200, body=b"<html>log in</html>"), IntegrityError),
        (ResetAfter(), TrackingUnavailable),
        (Answer(503, {"Retry-After": "5"}), TrackingUnavailable),
        (Answer(401), TrackingDenied),
        (Answer(403), TrackingDenied),
        (Answer(416), TrackingRefused),
    ],
    ids=str,
)
def test_a_file_that_does_not_arrive_as_it_was_leaves_nothing_and_a_repetition_succeeds(
    fault: Fault,
    expected: type[StudbookError],
    proxy: FaultyProxy,
    store: MlflowArtifactStore,
    run_id: str,
    stored: ArtifactManifest,
    tmp_path: Path,
) -> None:
    proxy.on(MODEL, fault, method="GET")
    there = tmp_path / "there"
    with pytest.raises(expected) as raised:
        store.fetch(run_id, stored, there / "model")
    assert type(raised.value) is expected
    assert list(there.iterdir()) == []
    assert len(proxy.requests(MODEL, "GET")) == 1
    store.fetch(run_id, stored, there / "model")
    assert read_tree(there / "model") == TREE


def test_a_stalled_file_is_given_up(
    proxy: FaultyProxy, store_at: StoreMaker, run_id: str, stored: ArtifactManifest, tmp_path: Path
) -> None:
    store = store_at(proxy.uri, timeout_s=2.0)
    proxy.on(MODEL, HangAfter(), method="GET")
    with pytest.raises(TrackingUnavailable) as raised:
        store.fetch(run_id, stored, tmp_path / "there" / "model")
    assert raised.value.details["code"] == "TIMEOUT"
    assert list((tmp_path / "there").iterdir()) == []


def test_a_fetch_asks_again_for_the_file_that_failed(
    proxy: FaultyProxy, store_at: StoreMaker, run_id: str, stored: ArtifactManifest, tmp_path: Path
) -> None:
    store = store_at(proxy.uri, patience=Patience(first_wait_s=0.0))
    proxy.on(MODEL, Cut(100, announced=True), method="GET")
    proxy.on(MODEL, Answer(503), times=2, method="GET")
    store.fetch(run_id, stored, tmp_path / "fetched")
    assert read_tree(tmp_path / "fetched") == TREE
    assert len(proxy.requests(MODEL, "GET")) == 4


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Answer(401), TrackingDenied),
        (Answer(403), TrackingDenied),
        (Answer(413, body=b"<html>"), TrackingRefused),
        (Answer(503, {"Retry-After": "5"}), TrackingUnavailable),
        (AnswerAfter(502), TrackingUnavailable),
        (ResetAfter(), TrackingUnavailable),
    ],
    ids=str,
)
def test_an_upload_that_fails_is_sent_once_and_its_repetition_makes_one_artifact(
    fault: Fault,
    expected: type[StudbookError],
    proxy: FaultyProxy,
    store: MlflowArtifactStore,
    run_id: str,
    tmp_path: Path,
) -> None:
    source, manifest = write_tree(tmp_path / "source", TREE), make_manifest("checkpoint", TREE)
    proxy.on(MODEL, fault, method="PUT")
    with pytest.raises(expected) as raised:
        store.put(run_id, source, manifest)
    assert type(raised.value) is expected
    assert raised.value.details.get("retry_after_s") == (5.0 if "Retry-After" in str(fault) else None)
    assert len(proxy.requests(MODEL, "PUT")) == 1
    assert store.manifests(run_id) == ()
    assert store.put(run_id, source, manifest) == manifest
    store.fetch(run_id, manifest, tmp_path / "fetched")
    assert read_tree(tmp_path / "fetched") == TREE


def test_a_further_try_sends_only_the_files_that_were_not_sent(
    proxy: FaultyProxy, store: MlflowArtifactStore, run_id: str, tmp_path: Path
) -> None:
    source, manifest = write_tree(tmp_path / "source", TREE), make_manifest("checkpoint", TREE)
    (*_, last) = sorted(TREE)
    proxy.on(f"{ARTIFACTS}.*/{last}", Answer(503), method="PUT")
    with pytest.raises(TrackingUnavailable):
        store.put(run_id, source, manifest)
    proxy.forget()
    assert store.put(run_id, source, manifest) == manifest
    assert len(proxy.requests(ARTIFACTS, "PUT")) == 2
    store.fetch(run_id, manifest, tmp_path / "fetched")
    assert read_tree(tmp_path / "fetched") == TREE


def test_a_manifest_whose_upload_was_not_confirmed_is_there_once(
    proxy: FaultyProxy, store: MlflowArtifactStore, run_id: str, tmp_path: Path
) -> None:
    source, manifest = write_tree(tmp_path / "source", TREE), make_manifest("checkpoint", TREE)
    proxy.on(f"{ARTIFACTS}.*/studbook/", ResetAfter(), method="PUT")
    with pytest.raises(TrackingUnavailable):
        store.put(run_id, source, manifest)
    assert store.put(run_id, source, manifest) == manifest
    assert store.manifests(run_id) == (manifest,)


def test_an_outage_is_not_a_missing_file(
    proxy: FaultyProxy, store: MlflowArtifactStore, run_id: str, stored: ArtifactManifest
) -> None:
    path = "checkpoint/model.bin"
    proxy.on(MODEL, Answer(500), method="GET")
    with pytest.raises(TrackingUnavailable):
        store.read(run_id, path)
    proxy.on(MODEL, Answer(500), method="GET")
    proxy.on(r"artifacts\?path", Answer(503), method="GET")
    with pytest.raises(TrackingUnavailable):
        store.read(run_id, path)
    with pytest.raises(ArtifactNotFound):
        store.read(run_id, "checkpoint/absent.bin")
    assert store.read(run_id, path) == TREE["model.bin"]


def test_names_that_an_address_would_change_arrive_as_they_are(
    store: MlflowArtifactStore, run_id: str, tmp_path: Path
) -> None:
    files = {"a b.txt": b"1", "a+b&c=d;e.txt": b"2", "100 %.txt": b"3"}
    kept = {path: content for path, content in files.items() if "%" not in path}
    manifest = store.put(run_id, write_tree(tmp_path / "kept", kept), make_manifest("odd", kept))
    store.fetch(run_id, manifest, tmp_path / "fetched")
    assert read_tree(tmp_path / "fetched") == kept
    with pytest.raises(TrackingRefused):
        store.put(run_id, write_tree(tmp_path / "all", files), make_manifest("all", files))


def test_a_file_of_somebody_else_is_read_under_its_own_name(
    server: Server, store: MlflowArtifactStore, run_id: str, stored: ArtifactManifest
) -> None:
    (folder,) = server.artifacts.glob(f"*/{run_id}/artifacts")
    (folder / "why?.txt").write_bytes(b"because")
    assert "why?.txt" in {file.path for file in store.list_files(run_id)}
    assert store.read(run_id, "why?.txt") == b"because"
