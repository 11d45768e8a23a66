"""A run's files from one store to another, byte for byte; manifests last."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..domain.artifact_placement import is_manifest_path
from ..domain.errors import ArtifactNotFound, IntegrityError
from ..ports.artifact_store import ArtifactStore, StoredFile
from ..ports.run_source import FileSource
from .spill import SPILL_FOLDER


def copy_files(
    source: FileSource, run_id: str, destination: ArtifactStore, copy_id: str, stage: Path
) -> None:
    """Bring what is missing or otherwise; one file at a time lies in `stage`. Raises IntegrityError."""
    files = _files(source, run_id)
    held = {file.path: file for file in destination.list_files(copy_id)} if files else {}
    for file in files:
        with _fetched(source, run_id, file, stage) as fetched:
            if fetched is None:
                continue
            local, digest = fetched
            there = held.get(file.path)
            if there is not None and there.size in (None, local.stat().st_size):
                with _fetched(destination, copy_id, there, stage) as copy:
                    if copy is not None and copy[1] == digest:
                        continue
            if destination.put_file(copy_id, local, file.path) != digest:
                raise IntegrityError(
                    f"{file.path} changed on its way", cure="run the migration again", path=file.path
                )


def file_digests(source: FileSource, run_id: str, stage: Path) -> dict[str, str]:
    """SHA-256 of every file of a run by path, read back from the store."""
    digests = {}
    for file in _files(source, run_id):
        with _fetched(source, run_id, file, stage) as fetched:
            if fetched is not None:
                digests[file.path] = fetched[1]
    return digests


def _files(source: FileSource, run_id: str) -> list[StoredFile]:
    """All but spilled values: they are tags and params, and each store spills by its own limits."""
    files = [file for file in source.list_files(run_id) if not file.path.startswith(SPILL_FOLDER)]
    return sorted(files, key=lambda file: (is_manifest_path(file.path), file.path))


@contextmanager
def _fetched(
    source: FileSource, run_id: str, file: StoredFile, stage: Path
) -> Iterator[tuple[Path, str] | None]:
    """The file in a folder of its own, and its digest. None for a name alone, as an upload that died leaves it in a
    store whose listings have no sizes.
    """
    with tempfile.TemporaryDirectory(dir=stage) as folder:
        local = Path(folder, "file")
        fetched = None
        try:
            fetched = local, source.fetch_file(run_id, file.path, local)
        except ArtifactNotFound:
            if file.size is not None:
                raise
        yield fetched
