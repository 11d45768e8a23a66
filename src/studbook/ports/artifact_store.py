"""The artifact store: a run's files, under exact names, each artifact with its manifest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..domain.manifest import ArtifactManifest


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a run: its path below the run's artifacts, and its size where the backend tells."""

    path: str
    size: int | None


class ArtifactStore(Protocol):
    """Raises TrackingUnavailable when repeating may help; ArtifactError's children otherwise."""

    def put(self, run_id: str, source: Path, manifest: ArtifactManifest) -> ArtifactManifest:
        """Store the files that `manifest` lists, read from below `source`, and then the manifest.

        `source` is the artifact's root directory, or the file itself when `manifest.is_single_file`.
        Same content under the name already: nothing is sent, and the stored manifest comes back. Other content:
        stored as the next revision; an existing manifest is never overwritten. Raises IntegrityError when a
        source file is not what the manifest says.
        """
        ...

    def put_record(self, run_id: str, path: str, content: bytes) -> None:
        """Store a small service file at an exact path; the same content twice is once."""
        ...

    def put_file(self, run_id: str, source: Path, path: str) -> str:
        """Store one file at an exact path, as it is; the SHA-256 of what was sent.

        Over what is there, where the backend overwrites; else PathTaken when other content is at the path, or none.
        Raises ArtifactNameInvalid for a path that leads out of the run.
        """
        ...

    def list_files(self, run_id: str) -> tuple[StoredFile, ...]:
        """All files of the run, recursively, sorted by path."""
        ...

    def read(self, run_id: str, path: str) -> bytes:
        """The whole content of one small file. Raises ArtifactNotFound."""
        ...

    def fetch_file(self, run_id: str, path: str, target: Path) -> str:
        """Write one stored file to `target`, which must not exist; the SHA-256 of what arrived.

        Nothing vouches for the bytes: compare. A failure may leave some at `target`. Raises ArtifactNotFound.
        """
        ...

    def manifests(self, run_id: str) -> tuple[ArtifactManifest, ...]:
        """The newest revision of every artifact of the run that has a manifest, sorted by name."""
        ...

    def fetch(self, run_id: str, manifest: ArtifactManifest, destination: Path) -> None:
        """Bring the artifact's files to `destination`, verified; nothing is there unless all of it is.

        `destination` must not exist. Raises ArtifactNotFound, or IntegrityError when a size or digest differs.
        """
        ...

    def close(self) -> None:
        """Give back connections. Closing twice is fine."""
        ...
