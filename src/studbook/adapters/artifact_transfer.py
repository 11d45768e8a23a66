"""Storing and fetching artifacts over any place that holds a run's files: what every store shares."""

from __future__ import annotations

import contextvars
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, MutableSet, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from ..domain.artifact_names import check_paths
from ..domain.artifact_placement import (
    is_manifest_path,
    newest,
    place,
    stored_path,
    superseded,
)
from ..domain.errors import (
    ArtifactNameInvalid,
    ArtifactNotFound,
    DestinationOccupied,
    IntegrityError,
    PathTaken,
)
from ..domain.manifest import ArtifactManifest, ManifestFile
from .file_copy import CopiedFile, hash_file, sync_file, sync_folder
from .record_transfer import held_bytes


class RunFiles(Protocol):
    """One run's files in a backend, by exact paths. Raises the TrackingError tree."""

    def sizes(self) -> dict[str, int | None]:
        """All files, recursively, with sizes where the backend tells them."""
        ...

    def send(self, source: Path, path: str) -> CopiedFile:
        """Store a file at a path, over what is there; what was sent."""
        ...

    def create(self, path: str, content: bytes) -> bool:
        """Store a small file unless something is at the path; whether it was stored."""
        ...

    def receive(self, path: str, target: Path) -> CopiedFile:
        """Write a stored file to `target`; what arrived. Raises ArtifactNotFound."""
        ...

    def read(self, path: str) -> bytes:
        """A small file's content. Raises ArtifactNotFound."""
        ...


def put_artifact(
    files: RunFiles,
    source: Path,
    manifest: ArtifactManifest,
    *,
    overwrites: bool,
    workers: int,
    sent: MutableSet[str] | None = None,
) -> ArtifactManifest:
    """See `ports.artifact_store.ArtifactStore.put`. Files first, listed back, then the manifest.

    The paths in `sent` hold their files since an earlier try, and are not sent again; what is sent joins them.
    """
    sent = set() if sent is None else sent
    while True:
        listed = files.sizes()
        paths = filter(is_manifest_path, listed)
        stored = [known for path in paths if (known := _parsed(path, held_bytes(files, path)))]
        placement = place(manifest, stored, listed, overwrites=overwrites)
        placed = placement.manifest
        if placement.held:
            return placed
        left = [file for file in placed.files if stored_path(placed, file) not in sent]
        _in_parallel([_sending(files, source, placed, file, sent) for file in left], workers)
        _check_listed(files.sizes(), placed)
        if files.create(placed.manifest_path, placed.to_bytes()):
            return placed


def put_file(files: RunFiles, source: Path, path: str, *, overwrites: bool) -> str:
    """See `ports.artifact_store.ArtifactStore.put_file`."""
    if {"", ".", ".."} & set(path.split("/")):
        raise ArtifactNameInvalid(
            f"{path[:200]!r} names no file of a run", cure="give a path below the run's artifacts", path=path
        )
    if not overwrites and path in files.sizes():
        wanted = hash_file(source)
        if _held(files, path, source.parent) != wanted:
            raise PathTaken(
                f"the run holds {path} with other content or none, and its store writes a file once",
                cure="store the files in a new run",
                path=path,
            )
        return wanted.sha256
    return files.send(source, path).sha256


def newest_manifests(files: RunFiles) -> tuple[ArtifactManifest, ...]:
    """The newest revision of every artifact. Raises IntegrityError for a damaged manifest that none has superseded.

    A manifest without bytes, which is what an upload that broke off leaves, says nothing.
    """
    manifests, damaged = [], []
    for path in filter(is_manifest_path, files.sizes()):
        content = held_bytes(files, path)
        if manifest := _parsed(path, content):
            manifests.append(manifest)
        elif content:
            damaged.append(path)
    kept = newest(manifests)
    for path in damaged:
        if path not in superseded(kept):
            raise IntegrityError(
                f"{path} is no manifest, or contradicts itself",
                cure="restore the file from a backup, or store the artifact again",
                path=path,
            )
    return kept


def fetch_artifact(files: RunFiles, manifest: ArtifactManifest, destination: Path, *, workers: int) -> None:
    """See `ports.artifact_store.ArtifactStore.fetch`. Largest files first, into a stage beside."""
    check_paths(file.path for file in manifest.files)
    if os.path.lexists(destination):
        raise DestinationOccupied(
            f"{destination} exists already", cure="fetch to a free path", path=str(destination)
        )
    destination.parent.mkdir(parents=True, exist_ok=True)
    stage = destination.parent / f".{destination.name[:200]}.partial-{secrets.token_hex(6)}"
    stage.mkdir()
    try:
        content = stage / "content"
        largest_first = sorted(manifest.files, key=lambda file: -file.size)
        _in_parallel([_receiving(files, manifest, file, content) for file in largest_first], workers)
        for folder, _, _ in os.walk(stage):
            sync_folder(Path(folder))
        content.rename(destination)
        sync_folder(destination.parent)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _held(files: RunFiles, path: str, beside: Path) -> CopiedFile | None:
    with tempfile.TemporaryDirectory(dir=beside, prefix=".held-") as folder:
        try:
            return files.receive(path, Path(folder, "held"))
        except ArtifactNotFound:
            return None


def _sending(
    files: RunFiles, source: Path, manifest: ArtifactManifest, file: ManifestFile, sent: MutableSet[str]
) -> Callable[[], None]:
    def send() -> None:
        local = source if source.is_file() else source / file.path
        if not local.is_file():
            raise _differs(file, "is missing from what was pinned", "MISSING")
        path = stored_path(manifest, file)
        _check_copy(file, files.send(local, path))
        sent.add(path)

    return send


def _receiving(
    files: RunFiles, manifest: ArtifactManifest, file: ManifestFile, content: Path
) -> Callable[[], None]:
    def receive() -> None:
        target = content if manifest.is_single_file else content / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        _check_copy(file, files.receive(stored_path(manifest, file), target))
        target.chmod(0o755 if file.exec else 0o644)
        sync_file(target)

    return receive


def _check_copy(file: ManifestFile, copied: CopiedFile) -> None:
    if copied.size != file.size:
        raise _differs(file, f"has {copied.size} bytes, its manifest says {file.size}", "SIZE_MISMATCH")
    if copied.sha256 != file.sha256:
        raise _differs(file, "has another SHA-256 than its manifest says", "DIGEST_MISMATCH")


def _check_listed(listed: dict[str, int | None], manifest: ArtifactManifest) -> None:
    for file in manifest.files:
        path = stored_path(manifest, file)
        if path not in listed:
            raise _differs(file, f"was sent, but is not listed as {path}", "MISSING")
        if listed[path] not in (None, file.size):
            raise _differs(file, f"was sent, but is listed with {listed[path]} bytes", "SIZE_MISMATCH")


def _differs(file: ManifestFile, problem: str, reason: str) -> IntegrityError:
    return IntegrityError(
        f"{file.path} {problem}",
        cure="try again; if it stays so, store the artifact again from its source",
        path=file.path,
        reason=reason,
    )


def _parsed(path: str, content: bytes | None) -> ArtifactManifest | None:
    try:
        manifest = ArtifactManifest.from_bytes(content or b"")
    except ValidationError:
        return None
    return manifest if manifest.manifest_path == path else None


def _in_parallel(tasks: Sequence[Callable[[], None]], workers: int) -> None:
    if len(tasks) == 1 or workers == 1:
        for task in tasks:
            task()
        return
    with ThreadPoolExecutor(min(workers, len(tasks))) as pool:
        # A copy each: a context can be entered once at a time.
        futures = [pool.submit(contextvars.copy_context().run, task) for task in tasks]
        try:
            for future in futures:
                future.result()
        finally:
            pool.shutdown(cancel_futures=True)
