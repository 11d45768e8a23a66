"""A run's artifacts as plain files, where MLflow's local artifact repository has them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...domain.errors import ArtifactNotFound, TrackingDenied, TrackingUnavailable
from ..file_copy import CopiedFile, copy_hashed, sync_folder

_UPLOADING = ".artifact.uploading."
"""The prefix of unfinished files, which MLflow hides too (mlflow.store.artifact.local_artifact_repo)."""


class LocalRunFiles:
    """Files below `<artifact location>/<run id>/artifacts`; every file appears whole."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def sizes(self) -> dict[str, int | None]:
        """See `adapters.artifact_transfer.RunFiles`."""
        found: dict[str, int | None] = {}
        with _translated():
            for folder, _, names in os.walk(self._root, onerror=_raise):
                for name in names:
                    if not name.startswith(_UPLOADING):
                        file = Path(folder, name)
                        found[file.relative_to(self._root).as_posix()] = file.stat().st_size
        return found

    def send(self, source: Path, path: str) -> CopiedFile:
        """See `adapters.artifact_transfer.RunFiles`."""
        with _translated(), source.open("rb") as file:
            partial = self._partial(path)
            try:
                copied = copy_hashed(file, partial)
                partial.replace(self._root / path)
            finally:
                partial.unlink(missing_ok=True)
            sync_folder(partial.parent)
        return copied

    def create(self, path: str, content: bytes) -> bool:
        """See `adapters.artifact_transfer.RunFiles`."""
        with _translated():
            partial = self._partial(path)
            try:
                with partial.open("xb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                created = _publish_new(partial, self._root / path)
            finally:
                partial.unlink(missing_ok=True)
            sync_folder(partial.parent)
        return created

    def receive(self, path: str, target: Path) -> CopiedFile:
        """See `adapters.artifact_transfer.RunFiles`."""
        with _translated(path):
            source = (self._root / path).open("rb")
        with source:
            return copy_hashed(source, target, fsync=False)

    def read(self, path: str) -> bytes:
        """See `adapters.artifact_transfer.RunFiles`."""
        with _translated(path):
            return (self._root / path).read_bytes()

    def _partial(self, path: str) -> Path:
        folder = (self._root / path).parent
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{_UPLOADING}{secrets.token_hex(8)}"


def _publish_new(partial: Path, place: Path) -> bool:
    try:
        place.hardlink_to(partial)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        if place.exists():
            return False
        partial.replace(place)
    return True


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


@contextmanager
def _translated(path: str | None = None) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise TrackingDenied(
            f"this user may not use the run's artifact folder: {error.strerror}",
            cure="give the artifact root to the users of the tracking store",
        ) from error
    except OSError as error:
        if path is not None and isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
            raise ArtifactNotFound(
                f"the run holds no {path}", cure="check the run and the path", path=path
            ) from error
        raise TrackingUnavailable(
            f"the run's artifact folder does not work now: {error.strerror}",
            cure="free space on its disk, or mount it; then try again",
        ) from error
