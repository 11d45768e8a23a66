"""The artifact store on MLflow: plain files for a local artifact root, a server's own files through its REST
interface, else MLflow's repositories."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ...domain.errors import IntegrityError
from ...domain.manifest import ArtifactManifest
from ...ports.artifact_store import StoredFile
from ..artifact_transfer import (
    RunFiles,
    fetch_artifact,
    newest_manifests,
    put_artifact,
    put_file,
)
from ..record_transfer import put_record
from .backend import Backend, server_calls
from .errors import translated
from .local_run_files import LocalRunFiles
from .patience import ONCE, Patience
from .repository_run_files import RepositoryRunFiles
from .rest_calls import TIMEOUT_S
from .s3_errors import s3_translated
from .server_run_files import ARTIFACTS, ServerRunFiles

if TYPE_CHECKING:
    from .mlflow_store import MlflowStore

_SERVED = frozenset({"mlflow-artifacts", "http", "https"})


class MlflowArtifactStore:
    """Thread-safe. MLflow is imported, and the tracking store opened, at first use.

    `uri` is that of the tracking store: it knows where a run's artifacts lie; `artifact_root` as there. `workers`
    files move at a time.
    A server may stay silent for `timeout_s` seconds a request; reading is repeated as `patience` says, file by
    file. Storing is not repeated; a further `put` of the same files goes on after those that were sent. Raises
    RunNotFound for a run that the tracking store does not hold.
    """

    def __init__(
        self,
        uri: str,
        *,
        artifact_root: str | None = None,
        workers: int = 8,
        timeout_s: float = TIMEOUT_S,
        patience: Patience = Patience(),
    ) -> None:
        self._backend = Backend.of(uri, artifact_root)
        self._workers = workers
        self._timeout_s = timeout_s
        self._patience = patience
        self._opened: MlflowStore | None = None
        self._sent: dict[tuple[str, str], set[str]] = {}
        self._places: dict[tuple[str, Patience], RunFiles] = {}
        self._lock = threading.Lock()

    def put(self, run_id: str, source: Path, manifest: ArtifactManifest) -> ArtifactManifest:
        """See `ports.artifact_store.ArtifactStore`."""
        sent = self._sent.setdefault((run_id, manifest.content_digest), set())
        try:
            placed = put_artifact(
                self._files(run_id, ONCE), source, manifest, overwrites=True, workers=self._workers, sent=sent
            )
        except IntegrityError:
            # What is there is not what was sent: nothing of it counts.
            sent.clear()
            raise
        self._sent.pop((run_id, manifest.content_digest), None)
        return placed

    def put_record(self, run_id: str, path: str, content: bytes) -> None:
        """See `ports.artifact_store.ArtifactStore`."""
        put_record(self._files(run_id, ONCE), path, content, overwrites=True)

    def put_file(self, run_id: str, source: Path, path: str) -> str:
        """See `ports.artifact_store.ArtifactStore`."""
        return put_file(self._files(run_id, ONCE), source, path, overwrites=True)

    def list_files(self, run_id: str) -> tuple[StoredFile, ...]:
        """See `ports.artifact_store.ArtifactStore`."""
        return tuple(StoredFile(path, size) for path, size in sorted(self._files(run_id).sizes().items()))

    def read(self, run_id: str, path: str) -> bytes:
        """See `ports.artifact_store.ArtifactStore`."""
        return self._files(run_id).read(path)

    def fetch_file(self, run_id: str, path: str, target: Path) -> str:
        """See `ports.artifact_store.ArtifactStore`."""
        return self._files(run_id).receive(path, target).sha256

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

    def _files(self, run_id: str, patience: Patience | None = None) -> RunFiles:
        """The run's files; `patience` is ONCE for writes, which are repeated as a whole."""
        patience = patience or self._patience
        with self._lock:
            known = self._places.get((run_id, patience))
        if known is None:
            known = self._place(run_id, patience)
            with self._lock:
                self._places[run_id, patience] = known
        return known

    def _place(self, run_id: str, patience: Patience) -> RunFiles:
        asking = patience if self._backend.is_server else ONCE
        with translated(run_id=run_id):
            run = asking.ask(lambda: self._store().get_run(run_id))
        root = str(run.info.artifact_uri)
        scheme = urlsplit(root).scheme
        if scheme in ("", "file"):
            from mlflow.utils.file_utils import local_file_uri_to_path

            return LocalRunFiles(Path(local_file_uri_to_path(root)))  # type: ignore[no-untyped-call]
        if scheme in _SERVED and self._backend.is_server:
            server, endpoint, path = _resolved(root, self._backend.uri).partition(ARTIFACTS)
            if endpoint:
                calls = server_calls(
                    server, timeout_s=self._timeout_s, patience=patience, pace=self._backend.pace
                )
                return ServerRunFiles(calls, path)
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        with translated(), s3_translated():
            return RepositoryRunFiles(get_artifact_repository(root, tracking_uri=self._backend.uri))

    def _store(self) -> MlflowStore:
        with self._lock:
            if self._opened is None:
                self._opened = self._backend.open(timeout_s=self._timeout_s)
            return self._opened


def _resolved(root: str, tracking_uri: str) -> str:
    if urlsplit(root).scheme != "mlflow-artifacts":
        return root
    from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository

    with translated():
        return str(MlflowArtifactsRepository.resolve_uri(root, tracking_uri))  # type: ignore[no-untyped-call]
