"""A run's files from one store to another, byte for byte; manifests last."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..domain.artifact_placement import is_manifest_path
from ..domain.errors import IntegrityError
from ..ports.artifact_store import ArtifactStore, StoredFile
from ..ports.run_source import FileSource
from .spill import SPILL_FOLDER


def copy_files(
    source: FileSource, run_id: str, destination: ArtifactStore, copy_id: str, stage: Path
) -> None:
    """Bring what is missing or otherwise; one file at a time lies in `stage`. Raises IntegrityError."""
    files = _files(source, run_id)
    held = {file.path: file.size for file in destination.list_files(copy_id)} if files else {}
    for file in files:
        with _fetched(source, run_id, file.path, stage) as (local, digest):
            if file.path in held and held[file.path] in (None, local.stat().st_size):
                with _fetched(destination, copy_id, file.path, stage) as (_, there):
                    if there == digest:
                        continue
            if destination.put_file(copy_id, local, file.path) != digest:
                raise IntegrityError(
                    f"{file.path} changed on its way", cure="run the migration again", path=file.path
                )


def file_digests(source: FileSource, run_id: str, stage: Path) -> dict[str, str]:
    """SHA-256 of every file of a run by path, read back from the store."""
    digests = {}
    for file in _files(source, run_id):
        with _fetched(source, run_id, file.path, stage) as (_, digest):
            digests[file.path] = digest
    return digests


def _files(source: FileSource, run_id: str) -> list[StoredFile]:
    """All but spilled values: they are tags and params, and each store spills by its own limits."""
    files = [file for file in source.list_files(run_id) if not file.path.startswith(SPILL_FOLDER)]
    return sorted(files, key=lambda file: (is_manifest_path(file.path), file.path))


@contextmanager
def _fetched(source: FileSource, run_id: str, path: str, stage: Path) -> Iterator[tuple[Path, str]]:
    with tempfile.TemporaryDirectory(dir=stage) as folder:
        local = Path(folder, "file")
        yield local, source.fetch_file(run_id, path, local)
