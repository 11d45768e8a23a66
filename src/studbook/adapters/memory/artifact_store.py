"""An artifact store in memory."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

from ...domain.errors import ArtifactNotFound, TrackingUnavailable
from ...domain.manifest import ArtifactManifest
from ...ports.artifact_store import StoredFile
from ...ports.capabilities import Capabilities
from ..artifact_transfer import fetch_artifact, newest_manifests, put_artifact, put_file
from ..file_copy import CopiedFile, hash_file
from ..record_transfer import put_record, read_record

_LIMITS = Capabilities()


class MemoryArtifactStore:
    """Runs need not be made first. `capabilities` decide whether names are write-once.

    `runs` is what is stored: by run id, by path, the bytes. `taken` are, by run id, paths that uploads which broke off
    have left without bytes: they are listed, and stay so.
    """

    def __init__(self, capabilities: Capabilities = _LIMITS) -> None:
        self._overwrites = capabilities.overwrites_artifacts
        self.runs: dict[str, dict[str, bytes]] = {}
        self.taken: dict[str, set[str]] = {}

    def put(self, run_id: str, source: Path, manifest: ArtifactManifest) -> ArtifactManifest:
        """See `ports.artifact_store.ArtifactStore`."""
        return put_artifact(self.files(run_id), source, manifest, overwrites=self._overwrites, workers=1)

    def put_record(self, run_id: str, path: str, content: bytes) -> None:
        """See `ports.artifact_store.ArtifactStore`."""
        put_record(self.files(run_id), path, content, overwrites=self._overwrites)

    def put_file(self, run_id: str, source: Path, path: str) -> str:
        """See `ports.artifact_store.ArtifactStore`."""
        return put_file(self.files(run_id), source, path, overwrites=self._overwrites)

    def list_files(self, run_id: str) -> tuple[StoredFile, ...]:
        """See `ports.artifact_store.ArtifactStore`."""
        return tuple(StoredFile(path, size) for path, size in sorted(self.files(run_id).sizes().items()))

    def read(self, run_id: str, path: str) -> bytes:
        """See `ports.artifact_store.ArtifactStore`."""
        files = self.files(run_id)
        return files.read(path) if self._overwrites else read_record(files, path)

    def fetch_file(self, run_id: str, path: str, target: Path) -> str:
        """See `ports.artifact_store.ArtifactStore`."""
        return self.files(run_id).receive(path, target).sha256

    def manifests(self, run_id: str) -> tuple[ArtifactManifest, ...]:
        """See `ports.artifact_store.ArtifactStore`."""
        return newest_manifests(self.files(run_id))

    def fetch(self, run_id: str, manifest: ArtifactManifest, destination: Path) -> None:
        """See `ports.artifact_store.ArtifactStore`."""
        fetch_artifact(self.files(run_id), manifest, destination, workers=1)

    def close(self) -> None:
        """Nothing to give back."""

    def files(self, run_id: str) -> MemoryRunFiles:
        """The run's files, for reading and writing."""
        return MemoryRunFiles(self.runs.setdefault(run_id, {}), self.taken.get(run_id, set()))


class MemoryRunFiles:
    """One run's files as a mapping from path to bytes, and the paths that are taken without bytes."""

    def __init__(self, stored: dict[str, bytes], taken: Set[str] = frozenset()) -> None:
        self._stored = stored
        self._taken = taken

    def sizes(self) -> dict[str, int | None]:
        """See `adapters.artifact_transfer.RunFiles`."""
        return {path: len(content) for path, content in self._stored.items()} | dict.fromkeys(self._taken)

    def send(self, source: Path, path: str) -> CopiedFile:
        """See `adapters.artifact_transfer.RunFiles`."""
        if path in self._taken:
            raise TrackingUnavailable(
                f"{path} is held by an upload that broke off",
                cure="store the files again: they get the next free name",
                path=path,
            )
        self._stored[path] = source.read_bytes()
        return hash_file(source)

    def create(self, path: str, content: bytes) -> bool:
        """See `adapters.artifact_transfer.RunFiles`."""
        return path not in self._taken and self._stored.setdefault(path, content) is content

    def receive(self, path: str, target: Path) -> CopiedFile:
        """See `adapters.artifact_transfer.RunFiles`."""
        target.write_bytes(self.read(path))
        return hash_file(target)

    def read(self, path: str) -> bytes:
        """See `adapters.artifact_transfer.RunFiles`."""
        if path not in self._stored:
            raise ArtifactNotFound(f"the run holds no {path}", cure="check the run and the path", path=path)
        return self._stored[path]
