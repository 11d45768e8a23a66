"""The artifact store on MLflow: plain files for a local artifact root, else MLflow's repositories."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ...domain.manifest import ArtifactManifest
from ...ports.artifact_store import StoredFile
from ..artifact_transfer import RunFiles, fetch_artifact, newest_manifests, put_artifact, put_record
from .backend import Backend
from .errors import translated
from .local_run_files import LocalRunFiles
from .repository_run_files import RepositoryRunFiles

if TYPE_CHECKING:
    from .mlflow_store import MlflowStore


class MlflowArtifactStore:
    """Thread-safe. MLflow is imported, and the tracking store opened, at first use.

    `uri` is that of the tracking store: it knows where a run's artifacts lie. `workers` files move at a time.
    Raises RunNotFound for a run that the tracking store does not hold.
    """

    def __init__(self, uri: str, *, workers: int = 8) -> None:
        self._backend = Backend.of(uri)
        self._workers = workers
        self._opened: MlflowStore | None = None
        self._places: dict[str, RunFiles] = {}
        self._lock = threading.Lock()

    def put(self, run_id: str, source: Path, manifest: ArtifactManifest) -> ArtifactManifest:
        """See `ports.artifact_store.ArtifactStore`."""
        return put_artifact(self._files(run_id), source, manifest, overwrites=True, workers=self._workers)

    def put_record(self, run_id: str, path: str, content: bytes) -> None:
        """See `ports.artifact_store.ArtifactStore`."""
        put_record(self._files(run_id), path, content)

    def list_files(self, run_id: str) -> tuple[StoredFile, ...]:
        """See `ports.artifact_store.ArtifactStore`."""
        return tuple(StoredFile(path, size) for path, size in sorted(self._files(run_id).sizes().items()))

    def read(self, run_id: str, path: str) -> bytes:
        """See `ports.artifact_store.ArtifactStore`."""
        return self._files(run_id).read(path)

    def manifests(self, run_id: str) -> tuple[ArtifactManifest, ...]:
        """See `ports.artifact_store.ArtifactStore`."""
        return newest_manifests(self._files(run_id))

    def fetch(self, run_id: str, manifest: ArtifactManifest, destination: Path) -> None:
        """See `ports.artifact_store.ArtifactStore`."""
        fetch_artifact(self._files(run_id), manifest, destination, workers=self._workers)

    def close(self) -> None:
        """Give back the database's connections."""
        with self._lock:
            opened, self._opened = self._opened, None
            self._places.clear()
        engine = getattr(opened, "engine", None)
        if engine is not None:
            engine.dispose()

    def _files(self, run_id: str) -> RunFiles:
        with self._lock:
            if run_id not in self._places:
                if self._opened is None:
                    self._opened = self._backend.open()
                with translated(run_id=run_id):
                    run = self._opened.get_run(run_id)
                root = str(run.info.artifact_uri)
                self._places[run_id] = _files_at(root, self._backend.uri)
            return self._places[run_id]


def _files_at(root: str, tracking_uri: str) -> RunFiles:
    if urlsplit(root).scheme in ("", "file"):
        from mlflow.utils.file_utils import local_file_uri_to_path

        return LocalRunFiles(Path(local_file_uri_to_path(root)))  # type: ignore[no-untyped-call]
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    with translated():
        return RepositoryRunFiles(get_artifact_repository(root, tracking_uri=tracking_uri))
