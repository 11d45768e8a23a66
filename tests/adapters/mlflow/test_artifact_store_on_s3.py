"""Artifacts in a bucket: of a server that sends its clients there, and of a database with such a root."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from faults.http_faults import Answer, AnswerAfter, Cut, Fault, FaultyProxy, Flip, ResetAfter
from servers import s3
from servers.mlflow_server import Server, bare_app, free_port
from studbook.adapters.mlflow.artifact_store import MlflowArtifactStore
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.domain.errors import IntegrityError, StudbookError, TrackingDenied, TrackingUnavailable
from studbook.domain.keys import RunKey
from studbook.domain.manifest import ArtifactManifest
from studbook.ports.artifact_store import ArtifactStore
from studbook.ports.contract.artifact_store import (
    TREE,
    ArtifactStoreContract,
    MakeRun,
    make_manifest,
    read_tree,
    write_tree,
)
from studbook.ports.contract.tracking_examples import RUN_KEY_TAG
from studbook.ports.tracking_store import NewRun

MODEL = "checkpoint/model.bin"


@pytest.fixture(scope="session")
def bucket() -> Iterator[str]:
    with s3.bucket() as address:
        yield address


@pytest.fixture(autouse=True)
def _access(bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "absent"))
    for name, value in s3.CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", bucket)


@pytest.fixture(scope="module")
def sending_server(
    bucket: str, empty_database: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server without files of its own."""
    root = f"s3://{s3.BUCKET}/of-a-server"
    with bare_app(tmp_path_factory.mktemp("sending"), empty_database, artifact_root=root) as running:
        yield running


def runs_of(tracking: MlflowTrackingStore) -> MakeRun:
    numbers = itertools.count()

    def make() -> str:
        key = RunKey.of({"number": next(numbers), "test": os.urandom(8).hex()})
        return tracking.create_run(NewRun(key, "artifacts", "run", 1, {}))

    return make


class _InABucket(ArtifactStoreContract):
    address: str
    tracking_uri: str

    def corrupt(self, store: ArtifactStore, run_id: str, path: str, content: bytes | None) -> None:
        root = MlflowClient(self.tracking_uri).get_run(run_id).info.artifact_uri
        assert root is not None
        folder = root.removeprefix(f"s3://{s3.BUCKET}/")
        where = {"Bucket": s3.BUCKET, "Key": f"{folder}/{path}"}
        if content is None:
            s3.client(self.address).delete_object(**where)
        else:
            s3.client(self.address).put_object(**where, Body=content)


class TestBucketOfAServer(_InABucket):
    """The port's contract."""

    @pytest.fixture
    def make_run(self, bucket: str, sending_server: Server) -> Iterator[MakeRun]:
        self.address, self.tracking_uri = bucket, sending_server.uri
        tracking = MlflowTrackingStore(sending_server.uri, run_key_tag=RUN_KEY_TAG)
        yield runs_of(tracking)
        tracking.close()

    @pytest.fixture
    def store(self, sending_server: Server) -> Iterator[ArtifactStore]:
        store = MlflowArtifactStore(sending_server.uri, workers=2)
        yield store
        store.close()


@pytest.fixture
def database(empty_database: Path, tmp_path: Path) -> str:
    folder = tmp_path / "tracking"
    folder.mkdir()
    shutil.copy(empty_database, folder / "mlflow.db")
    return f"sqlite:///{folder / 'mlflow.db'}"


@pytest.fixture
def make_run(database: str) -> Iterator[MakeRun]:
    tracking = MlflowTrackingStore(
        database, run_key_tag=RUN_KEY_TAG, artifact_root=f"s3://{s3.BUCKET}/of-a-database"
    )
    yield runs_of(tracking)
    tracking.close()


@pytest.fixture
def store(database: str) -> Iterator[MlflowArtifactStore]:
    store = MlflowArtifactStore(database, workers=1)
    yield store
    store.close()


class TestBucketOfADatabase(_InABucket):
    """The port's contract."""

    @pytest.fixture
    def make_run(self, bucket: str, database: str, make_run: MakeRun) -> MakeRun:
        self.address, self.tracking_uri = bucket, database
        return make_run

    @pytest.fixture
    def store(self, store: MlflowArtifactStore) -> ArtifactStore:
        return store


@pytest.fixture
def run_id(make_run: MakeRun) -> str:
    return make_run()


@pytest.fixture
def stored(store: MlflowArtifactStore, run_id: str, tmp_path: Path) -> ArtifactManifest:
    return store.put(run_id, write_tree(tmp_path / "source", TREE), make_manifest("checkpoint", TREE))


@pytest.fixture
def on_the_way(
    bucket: str, stored: ArtifactManifest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FaultyProxy]:
    """Stands before the bucket once something is stored there."""
    with FaultyProxy(bucket) as proxy:
        monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", proxy.uri)
        yield proxy


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Cut(100, announced=True), TrackingUnavailable),
        (Cut(100, announced=False), (IntegrityError, TrackingUnavailable)),
        (Flip(500), (IntegrityError, TrackingUnavailable)),
        (AnswerAfter(200, body=b"<html>log in</html>"), (IntegrityError, TrackingUnavailable)),
        (ResetAfter(), TrackingUnavailable),
        (Answer(503), TrackingUnavailable),
    ],
    ids=str,
)
def test_a_file_that_does_not_arrive_as_it_was_leaves_nothing_and_a_repetition_succeeds(
    fault: Fault,
    expected: type[StudbookError] | tuple[type[StudbookError], ...],
    database: str,
    on_the_way: FaultyProxy,
    run_id: str,
    stored: ArtifactManifest,
    tmp_path: Path,
) -> None:
    store = MlflowArtifactStore(database, workers=1)
    on_the_way.on(MODEL, fault, method="GET", times=None)
    there = tmp_path / "there"
    with pytest.raises(expected):
        store.fetch(run_id, stored, there / "model")
    assert list(there.iterdir()) == []
    assert on_the_way.requests(MODEL, "GET")
    on_the_way.forget()
    store.fetch(run_id, stored, there / "model")
    assert read_tree(there / "model") == TREE
    store.close()


def test_an_experiment_that_was_made_for_a_bucket_keeps_its_artifacts_there(
    bucket: str, database: str, store: MlflowArtifactStore, tmp_path: Path
) -> None:
    MlflowClient(database).create_experiment("by hand", artifact_location=f"s3://{s3.BUCKET}/by-hand")
    tracking = MlflowTrackingStore(database, run_key_tag=RUN_KEY_TAG)
    run_id = tracking.create_run(NewRun(RunKey.of({"in": "a bucket"}), "by hand", "run", 1, {}))
    tracking.close()
    (tmp_path / "file").write_bytes(b"content")
    store.put_file(run_id, tmp_path / "file", "notes/file")
    there = s3.client(bucket).get_object(Bucket=s3.BUCKET, Key=f"by-hand/{run_id}/artifacts/notes/file")
    assert there["Body"].read() == b"content"


def heard(store: MlflowArtifactStore, run_id: str, tmp_path: Path) -> list[StudbookError]:
    """What a listing, a reader and an upload hear."""
    (tmp_path / "file").write_bytes(b"content")
    errors = []
    for ask in (
        lambda: store.list_files(run_id),
        lambda: store.read(run_id, MODEL),
        lambda: store.put_file(run_id, tmp_path / "file", "notes/file"),
    ):
        with pytest.raises(StudbookError) as raised:
            ask()
        errors.append(raised.value)
    return errors


def test_without_credentials_the_cure_names_what_to_set(
    database: str, bucket: str, run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in s3.CREDENTIALS:
        monkeypatch.delenv(name)
    # MLflow keeps a client for each address, and boto3 a session: with the credentials that they were made with.
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", bucket.replace("127.0.0.1", "localhost"))
    store = MlflowArtifactStore(database)
    for error in heard(store, run_id, tmp_path):
        assert isinstance(error, TrackingDenied)
        assert "AWS_ACCESS_KEY_ID" in error.cure
    store.close()


def test_without_the_buckets_client_the_package_is_named(
    database: str, bucket: str, run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", f"{bucket}/without-a-client")
    store = MlflowArtifactStore(database)
    for error in heard(store, run_id, tmp_path):
        assert isinstance(error, TrackingUnavailable)
        assert error.cure.endswith("pip install boto3")
    store.close()


def test_credentials_that_are_not_accepted_are_denied_and_not_told(
    database: str, bucket: str, run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MlflowArtifactStore(database)
    with FaultyProxy(bucket) as proxy:
        monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", proxy.uri)
        body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        proxy.on("", Answer(403, {"Content-Type": "application/xml"}, body), times=None)
        for error in heard(store, run_id, tmp_path):
            assert isinstance(error, TrackingDenied)
            assert s3.CREDENTIALS["AWS_SECRET_ACCESS_KEY"] not in f"{error} {error.details}"
    store.close()


def test_a_bucket_that_is_down_is_an_outage(
    database: str, run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    store = MlflowArtifactStore(database)
    for error in heard(store, run_id, tmp_path):
        assert isinstance(error, TrackingUnavailable)
    store.close()
