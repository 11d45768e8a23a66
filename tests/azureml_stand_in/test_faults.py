"""Faults strike where they are meant to, as often as they are meant to, and are what they say they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from azureml_stand_in.faults import BLOBS, LINKS, REGISTRATION, ExpiredLink, blob, blob_refusal, refusal
from azureml_stand_in.workspace import URI, Workspace
from faults.http_faults import FlipSent, KeepPart
from studbook.adapters.azureml.plugin import service_context
from studbook.adapters.azureml.workspace import Workspace as Target

_CONTENT = bytes(range(256))


@pytest.fixture
def client(workspace: Workspace) -> Any:
    """The plugin's client of a run's files; a run is what is named so."""
    from azureml.mlflow._client.artifact.run_artifact_client import RunArtifactsClient

    target = Target.of(URI, credential="environment", cloud="AzureCloud")
    return RunArtifactsClient(service_context(target), "0", "made-up-run", path="")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file to be sent."""
    file = tmp_path / "file"
    file.write_bytes(_CONTENT)
    return file


def _stored(client: Any, path: str, folder: Path) -> bytes:
    client.download_artifact(path, str(folder / "arrived"))
    return (folder / "arrived").read_bytes()


@pytest.mark.parametrize(
    ("fault", "kept"),
    [(KeepPart(40), _CONTENT[:40]), (FlipSent(1), b"\x00\x00" + _CONTENT[2:])],
    ids=["part", "flipped"],
)
def test_a_store_keeps_other_bytes_than_it_got(
    workspace: Workspace, client: Any, file: Path, tmp_path: Path, fault: Any, kept: bytes
) -> None:
    path = f"ß {type(fault).__name__}/one"
    workspace.on(blob(path), fault, method="PUT")
    client.upload_file(str(file), path)
    assert _stored(client, path, tmp_path) == kept


def test_the_signed_addresses_of_chosen_files_have_expired(
    workspace: Workspace, client: Any, file: Path, tmp_path: Path
) -> None:
    workspace.on(REGISTRATION, ExpiredLink(), holding=b'"expired/up"')
    client.upload_file(str(file), "expired/down")
    with pytest.raises(HttpResponseError, match="authenticate"):
        client.upload_file(str(file), "expired/up")
    workspace.on(LINKS, ExpiredLink())
    with pytest.raises(HttpResponseError, match="authenticate"):
        _stored(client, "expired/down", tmp_path)
    assert _stored(client, "expired/down", tmp_path) == _CONTENT


def test_a_blob_that_is_missing_once_behind_its_metadata(
    workspace: Workspace, client: Any, file: Path, tmp_path: Path
) -> None:
    client.upload_file(str(file), "missing/one")
    workspace.on(BLOBS, blob_refusal(404, "BlobNotFound"), method="GET")
    with pytest.raises(HttpResponseError) as caught:
        _stored(client, "missing/one", tmp_path)
    assert caught.value.status_code == 404
    assert _stored(client, "missing/one", tmp_path) == _CONTENT


def test_a_workspace_that_has_too_much_to_do_is_asked_again_when_it_says(
    workspace: Workspace, client: Any, file: Path
) -> None:
    workspace.on(REGISTRATION, refusal(429, "TooManyRequests", retry_after_s=1))
    client.upload_file(str(file), "busy/one")
    first, second = workspace.requests(REGISTRATION)
    assert second.at_s - first.at_s >= 1
