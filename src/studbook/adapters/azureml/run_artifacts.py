"""A run's artifacts in a workspace: write-once paths, whose bytes lie in a blob store. The plugin's private client is
used here alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...domain.errors import ArtifactNotFound, TrackingError, TrackingRefused, TrackingUnavailable
from ..file_copy import CopiedFile, hash_file
from ..mlflow.errors import answer_error
from ..mlflow.repository_run_files import missing
from .credentials import token_errors
from .plugin import service_context
from .workspace import Workspace

_NOT_FOUND = 404
_FORBIDDEN = 403


class RunArtifacts:
    """See `adapters.artifact_transfer.RunFiles`. Thread-safe. What a died upload left is listed, and unreadable.

    No error quotes a vendor's text: it may hold a signed address.
    """

    def __init__(self, workspace: Workspace, experiment: str, run_id: str) -> None:
        from azureml.mlflow._client.artifact.run_artifact_client import RunArtifactsClient

        self._client = RunArtifactsClient(service_context(workspace), experiment, run_id, path="")

    def sizes(self) -> dict[str, int | None]:
        """All paths, in one flat listing; it has no sizes."""
        with _translated():
            return dict.fromkeys(self._client.get_file_paths())

    def send(self, source: Path, path: str) -> CopiedFile:
        """Store a file at a free path, and ask how much of it arrived. A lost reply looks like a path that is taken:
        the same content there is success.
        """
        copied = hash_file(source)
        link = self._uploaded(source, path)
        arrived = self._held(path) == copied if link is None else _size(link) == copied.size
        if not arrived:
            raise TrackingUnavailable(
                f"{path} is held by an upload that broke off, or by another file",
                cure="store the files again: they get the next free name",
                path=path,
            )
        return copied

    def create(self, path: str, content: bytes) -> bool:
        """Store a small file at a free path; whether the path was free."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "content")
            file.write_bytes(content)
            return self._uploaded(file, path) is not None

    def receive(self, path: str, target: Path) -> CopiedFile:
        """See `adapters.artifact_transfer.RunFiles`."""
        try:
            with _translated():
                self._client.download_artifact(path, str(target))
        except TrackingError as error:
            if error.details.get("status") == _NOT_FOUND:
                raise missing(path) from None
            raise
        if not target.is_file():
            # The plugin passes over a blob store of another cloud in silence.
            raise TrackingRefused(
                f"{path} lies outside the workspace's cloud", cure="check tracking.azure.cloud", path=path
            )
        return hash_file(target)

    def read(self, path: str) -> bytes:
        """See `adapters.artifact_transfer.RunFiles`."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "content")
            self.receive(path, file)
            return file.read_bytes()

    def _uploaded(self, source: Path, path: str) -> str | None:
        """The signed address of what was stored; None when the path is taken."""
        try:
            with _translated():
                result = self._client.upload_file(str(source), path)
                return str(result.artifact_content_information[path].content_uri)
        except TrackingRefused:
            if path in self.sizes():
                return None
            raise

    def _held(self, path: str) -> CopiedFile | None:
        with tempfile.TemporaryDirectory() as folder:
            try:
                return self.receive(path, Path(folder, "content"))
            except ArtifactNotFound:
                return None


def _size(link: str) -> int:
    from azure.storage.blob import BlobClient

    with _translated(), BlobClient.from_blob_url(link) as blob:
        return int(blob.get_blob_properties().size)


@contextmanager
def _translated() -> Iterator[None]:
    """Raise what the plugin raises, bare exceptions among it, as one of the TrackingError tree; without its cause,
    which may hold a signed address.
    """
    try:
        yield
    except TrackingError:
        raise
    except Exception as error:  # noqa: BLE001  # the plugin raises no other
        raise _translation(error) from None


def _translation(error: Exception) -> TrackingError:
    from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

    told: Any = error if isinstance(error, AzureError) else error.__context__
    if isinstance(told, HttpResponseError) and told.status_code is not None:
        of_blobs = hasattr(told, "error_code")
        if of_blobs and told.status_code == _FORBIDDEN:
            return TrackingUnavailable(
                "the signed address of a file is no longer good", cure="repeat: a new one is asked for"
            )
        return answer_error(told.status_code, b"")
    if isinstance(told, ClientAuthenticationError):
        try:
            with token_errors():
                raise told
        except TrackingError as denied:
            return denied
    if isinstance(error, AzureError | OSError):
        return TrackingUnavailable(
            f"a file did not get through ({type(error).__name__})", cure="repeat; check the network"
        )
    return TrackingRefused("the workspace does not take the file", cure="check its path", code="REFUSED")
