"""A run's artifacts behind an MLflow server that serves them itself."""

from __future__ import annotations

import hashlib
import io
import mimetypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from ...domain.errors import TrackingError
from ..file_copy import CHUNK, CopiedFile, hash_file
from .errors import unreadable_answer
from .repository_run_files import check_place, missing
from .rest_calls import RestCalls

ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"

_OK = 200
_PERHAPS_MISSING = frozenset({400, 404, 500})


class ServerRunFiles:
    """Files at exact names below `root`, a path of the server's artifact store."""

    def __init__(self, calls: RestCalls, root: str) -> None:
        self._calls = calls
        self._root = root.strip("/")

    def sizes(self) -> dict[str, int | None]:
        """See `adapters.artifact_transfer.RunFiles`. One request a folder."""
        found: dict[str, int | None] = {}
        folders = [""]
        while folders:
            for path, is_folder, size in self._entries(folders.pop()):
                if is_folder:
                    folders.append(path)
                else:
                    found[path] = size
        return found

    def send(self, source: Path, path: str) -> CopiedFile:
        """See `adapters.artifact_transfer.RunFiles`."""
        with source.open("rb") as content:
            self._upload(content, path)
        return hash_file(source)

    def create(self, path: str, content: bytes) -> bool:
        """See `adapters.artifact_transfer.RunFiles`. Looks first: the server has no exclusive creation."""
        if self._holds(path):
            return False
        self._upload(io.BytesIO(content), path)
        return True

    def receive(self, path: str, target: Path) -> CopiedFile:
        """See `adapters.artifact_transfer.RunFiles`."""

        def once() -> CopiedFile:
            digest, size = hashlib.sha256(), 0
            with target.open("wb") as out, self._content(path) as pieces:
                for piece in pieces:
                    digest.update(piece)
                    size += len(piece)
                    out.write(piece)
            return CopiedFile(size, digest.hexdigest())

        return self._calls.repeated(once)

    def read(self, path: str) -> bytes:
        """See `adapters.artifact_transfer.RunFiles`."""

        def once() -> bytes:
            with self._content(path) as pieces:
                return b"".join(pieces)

        return self._calls.repeated(once)

    def _upload(self, content: io.BufferedReader | io.BytesIO, path: str) -> None:
        check_place(PurePosixPath(path))
        kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
        self._calls.upload(self._endpoint(path), content, kind)

    @contextmanager
    def _content(self, path: str) -> Iterator[Iterator[bytes]]:
        try:
            with self._calls.download(self._endpoint(path), chunk_size=CHUNK) as pieces:
                yield pieces
        except TrackingError as error:
            # What a server says of a file that is not there depends on the store behind it.
            if error.details.get("status") in _PERHAPS_MISSING and not self._holds(path):
                raise missing(path) from error
            raise

    def _holds(self, path: str) -> bool:
        folder = path.rpartition("/")[0]
        entries = self._entries(folder, self._calls.asking_once())
        return any(entry == path and not is_folder for entry, is_folder, _ in entries)

    def _entries(self, folder: str, calls: RestCalls | None = None) -> list[tuple[str, bool, int | None]]:
        listing = (calls or self._calls).get(ARTIFACTS, {"path": f"{self._root}/{folder}".rstrip("/")})
        prefix = f"{folder}/" if folder else ""
        try:
            return [
                (prefix + PurePosixPath(entry["path"]).name, bool(entry.get("is_dir")), _size(entry))
                for entry in listing.get("files", [])
            ]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise unreadable_answer(_OK, writes=False) from error

    def _endpoint(self, path: str) -> str:
        return f"{ARTIFACTS}/{quote(f'{self._root}/{path}')}"


def _size(entry: dict[str, object]) -> int | None:
    size = entry.get("file_size")
    return None if size is None or entry.get("is_dir") else int(str(size))
