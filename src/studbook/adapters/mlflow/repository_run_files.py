"""A run's artifacts behind an MLflow artifact repository: a server's proxy, or a bucket."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ...domain.errors import ArtifactNotFound, TrackingError, TrackingRefused
from ..file_copy import CopiedFile, hash_file
from .errors import translated
from .s3_errors import s3_translated

if TYPE_CHECKING:
    from mlflow.store.artifact.artifact_repo import ArtifactRepository


class RepositoryRunFiles:
    """Exact names over a repository: its uploads name a folder, its downloads may end early in silence."""

    def __init__(self, repository: ArtifactRepository) -> None:
        self._repository = repository

    def sizes(self) -> dict[str, int | None]:
        """See `adapters.artifact_transfer.RunFiles`. One request a folder."""
        found: dict[str, int | None] = {}
        folders: list[str | None] = [None]
        while folders:
            folder = folders.pop()
            entries = self._entries(folder)
            for path, is_folder, size in entries:
                if is_folder:
                    folders.append(path)
                else:
                    found[path] = size
            if folder is not None and not entries:
                # The proxy's client takes a folder whose one file is called like it for that file, and
                # lists nothing.
                found[f"{folder}/{PurePosixPath(folder).name}"] = None
        return found

    def send(self, source: Path, path: str) -> CopiedFile:
        """See `adapters.artifact_transfer.RunFiles`."""
        place = PurePosixPath(path)
        if source.name == place.name:
            self._upload(source, place)
            return hash_file(source)
        with tempfile.TemporaryDirectory() as folder:
            named = Path(folder, place.name)
            try:
                os.link(source, named)
            except OSError:
                shutil.copyfile(source, named)
            self._upload(named, place)
            return hash_file(named)

    def create(self, path: str, content: bytes) -> bool:
        """See `adapters.artifact_transfer.RunFiles`. Looks first: repositories have no exclusive creation."""
        if self._holds(path):
            return False
        with tempfile.TemporaryDirectory() as folder:
            named = Path(folder, PurePosixPath(path).name)
            named.write_bytes(content)
            self._upload(named, PurePosixPath(path))
        return True

    def receive(self, path: str, target: Path) -> CopiedFile:
        """See `adapters.artifact_transfer.RunFiles`."""
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".receiving-") as folder:
            arrived = self._download(path, Path(folder))
            arrived.replace(target)
        return hash_file(target)

    def read(self, path: str) -> bytes:
        """See `adapters.artifact_transfer.RunFiles`."""
        with tempfile.TemporaryDirectory() as folder:
            return self._download(path, Path(folder)).read_bytes()

    def _upload(self, named: Path, place: PurePosixPath) -> None:
        check_place(place)
        folder = None if place.parent == PurePosixPath() else str(place.parent)
        with translated(), s3_translated():
            self._repository.log_artifact(str(named), folder)  # type: ignore[no-untyped-call]

    def _download(self, path: str, folder: Path) -> Path:
        arrived = folder / path
        try:
            with translated(), s3_translated():
                self._repository.download_artifacts(path, str(folder))  # type: ignore[no-untyped-call]
        except TrackingError as error:
            if self._holds(path):
                raise
            raise missing(path) from error
        if not arrived.is_file():
            raise missing(path)
        return arrived

    def _holds(self, path: str) -> bool:
        place = PurePosixPath(path)
        folder = None if place.parent == PurePosixPath() else str(place.parent)
        entries = self._entries(folder)
        if not entries and folder is not None and place.name == place.parent.name:
            return path in self.sizes()
        return any(entry == path and not is_folder for entry, is_folder, _ in entries)

    def _entries(self, folder: str | None) -> list[tuple[str, bool, int | None]]:
        with translated(), s3_translated():
            listing = self._repository.list_artifacts(folder)
        return [
            (str(entry.path), bool(entry.is_dir), None if entry.is_dir else entry.file_size)
            for entry in listing
            if entry.path not in (".", folder)
        ]


def check_place(place: PurePosixPath) -> None:
    """Raises TrackingRefused for a name that MLflow would change."""
    if any(character in str(place) for character in "%#"):
        raise TrackingRefused(
            f"MLflow does not keep the name {str(place)!r}: it reads % and # as parts of a URL",
            cure="rename the file, without these characters",
        )


def missing(path: str) -> ArtifactNotFound:
    """No file is at the path."""
    return ArtifactNotFound(f"the run holds no {path}", cure="check the run and the path", path=path)
