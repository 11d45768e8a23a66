"""A run's artifacts in a workspace: write-once paths, whose bytes lie in a blob store."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import IO

from ...domain.errors import ArtifactNotFound, TrackingRefused, TrackingUnavailable
from ..file_copy import CopiedFile, hash_file
from ..mlflow.patience import Patience
from ..mlflow.repository_run_files import missing
from .artifact_calls import ArtifactCalls
from .blobs import Blobs

_NOT_FOUND = 404


class RunArtifacts:
    """See `adapters.artifact_transfer.RunFiles`. Thread-safe. What a died upload left is listed, and unreadable.

    Every request is repeated as `patience` says, also within a write: one that is given up leaves its path taken.
    """

    def __init__(
        self, calls: ArtifactCalls, blobs: Blobs, patience: Patience, experiment: str, run_id: str
    ) -> None:
        self._calls = calls
        self._blobs = blobs
        self._patience = patience
        self._run = experiment, run_id

    def sizes(self) -> dict[str, int | None]:
        """All paths, in one flat listing; it has no sizes."""
        return dict.fromkeys(self._patience.ask(lambda: self._calls.paths(*self._run)))

    def send(self, source: Path, path: str) -> CopiedFile:
        """Store a file at a free path. A lost reply looks like a path that is taken: the same content there is
        success.
        """
        copied = hash_file(source)
        with source.open("rb") as content:
            free = self._store(content, copied.size, path)
        if not free and self._held(path) != copied:
            raise TrackingUnavailable(
                f"{path} is held by an upload that broke off, or by another file",
                cure="store the files again: they get the next free name",
                path=path,
            )
        return copied

    def create(self, path: str, content: bytes) -> bool:
        """Store a small file at a free path; whether the path was free."""
        return self._store(io.BytesIO(content), len(content), path)

    def receive(self, path: str, target: Path) -> CopiedFile:
        """See `adapters.artifact_transfer.RunFiles`."""

        def once() -> None:
            with target.open("wb") as out:
                self._download(path, out)

        self._patience.ask(once)
        return hash_file(target)

    def read(self, path: str) -> bytes:
        """See `adapters.artifact_transfer.RunFiles`."""

        def once() -> bytes:
            out = io.BytesIO()
            self._download(path, out)
            return out.getvalue()

        return self._patience.ask(once)

    def _store(self, content: IO[bytes], size: int, path: str) -> bool:
        link = self._patience.ask(lambda: self._calls.take(*self._run, path))
        if link is None:
            return False
        self._blobs.upload(link, content, size, path)
        return True

    def _download(self, path: str, out: IO[bytes]) -> None:
        try:
            link = self._calls.link(*self._run, path)
        except TrackingRefused as error:
            if error.details.get("status") == _NOT_FOUND:
                raise missing(path) from None
            raise
        self._blobs.download(link, out, path)

    def _held(self, path: str) -> CopiedFile | None:
        with tempfile.TemporaryDirectory() as folder:
            try:
                return self.receive(path, Path(folder, "content"))
            except ArtifactNotFound:
                return None
