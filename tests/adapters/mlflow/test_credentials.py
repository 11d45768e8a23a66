"""Credentials before a server that asks for them, `mlflow server --app-name basic-auth`, and one that does not."""

from __future__ import annotations

import json
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from servers.mlflow_server import Server, basic_auth
from studbook.adapters.mlflow.artifact_store import MlflowArtifactStore
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.domain.errors import TrackingDenied
from studbook.domain.store_writes import RecordBatch
from studbook.ports.contract.tracking_examples import RUN_KEY_TAG, fresh_name, new_run

from .round_trip import works

NAME, PASSWORD = "keeper", "a-long-password-1"
READER, READERS_PASSWORD = "visitor", "another-password-2"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with basic_auth(tmp_path_factory.mktemp("guarded"), NAME, PASSWORD) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)


@pytest.fixture
def log_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    def log_in(name: str, password: str) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", name)
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)

    return log_in


def refusals(uri: str, run_id: str) -> list[TrackingDenied]:
    """What a question, a write, and a file's reader hear."""
    store, files = MlflowTrackingStore(uri, run_key_tag=RUN_KEY_TAG), MlflowArtifactStore(uri)
    heard = []
    for ask in (
        lambda: store.get_run(run_id),
        lambda: store.create_run(new_run(fresh_name())),
        lambda: files.list_files(run_id),
    ):
        with pytest.raises(TrackingDenied) as denied:
            ask()
        heard.append(denied.value)
    return heard


def test_with_its_credentials_everything_works(
    guarded: Server, tmp_path: Path, log_in: Callable[[str, str], None]
) -> None:
    log_in(NAME, PASSWORD)
    works(guarded.uri, tmp_path)


def test_credentials_may_stand_in_the_address(guarded: Server, tmp_path: Path) -> None:
    works(guarded.uri.replace("://", f"://{NAME}:{PASSWORD}@"), tmp_path)


def test_without_credentials_the_cure_names_what_to_set(guarded: Server) -> None:
    for error in refusals(guarded.uri, "0" * 32):
        assert error.details["status"] == 401
        assert "MLFLOW_TRACKING_USERNAME" in error.cure


def test_a_wrong_password_is_denied_and_never_told(
    guarded: Server, log_in: Callable[[str, str], None]
) -> None:
    log_in(NAME, "hush-hush-hush")
    for error in refusals(guarded.uri, "0" * 32):
        assert error.details["status"] == 401
        assert "hush" not in f"{error} {error.details}"


def test_who_may_read_only_is_told_so_of_a_write(
    guarded: Server, tmp_path: Path, log_in: Callable[[str, str], None]
) -> None:
    _add_user(guarded)
    log_in(NAME, PASSWORD)
    run_id = works(guarded.uri, tmp_path)
    log_in(READER, READERS_PASSWORD)
    store = MlflowTrackingStore(guarded.uri, run_key_tag=RUN_KEY_TAG)
    assert store.get_run(run_id).tags["t"] == "1"
    with pytest.raises(TrackingDenied) as denied:
        store.record(run_id, RecordBatch(tags={"t": "2"}))
    store.close()
    assert denied.value.details["status"] == 403
    assert denied.value.details.get("outcome") is None


def test_credentials_that_nobody_asks_for_do_no_harm(
    server: Server, tmp_path: Path, log_in: Callable[[str, str], None]
) -> None:
    log_in(NAME, PASSWORD)
    works(server.uri, tmp_path)


def _add_user(guarded: Server) -> None:
    login = b64encode(f"{NAME}:{PASSWORD}".encode()).decode()
    urllib.request.urlopen(  # noqa: S310
        urllib.request.Request(  # noqa: S310
            f"{guarded.uri}/api/2.0/mlflow/users/create",
            json.dumps({"username": READER, "password": READERS_PASSWORD}).encode(),
            {"Content-Type": "application/json", "Authorization": f"Basic {login}"},
        )
    ).close()
