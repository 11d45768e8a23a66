"""The artifact store on an Azure ML workspace: every path is written once."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from ...domain.errors import TrackingRefused
from ...domain.manifest import ArtifactManifest
from ...ports.artifact_store import StoredFile
from ..artifact_transfer import fetch_artifact, newest_manifests, put_artifact, put_file
from ..mlflow.patience import Patience
from ..mlflow.rest_calls import TIMEOUT_S
from ..record_transfer import put_record, read_record
from .artifact_calls import ArtifactCalls
from .blobs import Blobs
from .run_artifacts import RunArtifacts
from .workspace import Workspace

if TYPE_CHECKING:
    from ..mlflow.mlflow_store import MlflowStore

_PLACE = re.compile(r"azureml://(?:.*/)?experiments/([^/]+)/runs/([^/]+)/artifacts/?")


class AzureArtifactStore:
    """Thread-safe. The plugin is imported at first use. `workers` files move at a time.

    The service may stay silent for `timeout_s` seconds a request; all is repeated as `patience` says, request by
    request. A put that was given up leaves paths that stay taken: the next one gets the next free name. Raises
    RunNotFound for a run that the workspace does not hold.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        workers: int = 8,
        timeout_s: float = TIMEOUT_S,
        patience: Patience = Patience(),
    ) -> None:
        self._workspace = workspace
        self._workers = workers
        self._timeout_s = timeout_s
        self._patience = patience
        self._opened: tuple[MlflowStore, ArtifactCalls] | None = None
        self._blobs = Blobs(timeout_s=timeout_s, patience=patience)
        self._places: dict[str, RunArtifacts] = {}
        self._lock = threading.Lock()

    def put(self, run_id: str, source: Path, manifest: ArtifactManifest) -> ArtifactManifest:
        """See `ports.artifact_store.ArtifactStore`."""
        return put_artifact(self._files(run_id), source, manifest, overwrites=False, workers=self._workers)

    def put_record(self, run_id: str, path: str, content: bytes) -> None:
        """See `ports.artifact_store.ArtifactStore`."""
        put_record(self._files(run_id), path, content, overwrites=False)

    def put_file(self, run_id: str, source: Path, path: str) -> str:
        """See `ports.artifact_store.ArtifactStore`."""
        return put_file(self._files(run_id), source, path, overwrites=False)

    def list_files(self, run_id: str) -> tuple[StoredFile, ...]:
        """See `ports.artifact_store.ArtifactStore`."""
        return tuple(StoredFile(path, size) for path, size in sorted(self._files(run_id).sizes().items()))

    def read(self, run_id: str, path: str) -> bytes:
        """See `ports.artifact_store.ArtifactStore`."""
        return read_record(self._files(run_id), path)

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
        """Forget what was opened."""
        with self._lock:
            self._opened = None
            self._places.clear()

    def _files(self, run_id: str) -> RunArtifacts:
        with self._lock:
            known = self._places.get(run_id)
        if known is None:
            known = self._place(run_id)
            with self._lock:
                self._places[run_id] = known
        return known

    def _store(self) -> tuple[MlflowStore, ArtifactCalls]:
        with self._lock:
            if self._opened is None:
                runs = self._workspace.open(timeout_s=self._timeout_s, patience=self._patience)
                self._opened = runs, ArtifactCalls(self._workspace, timeout_s=self._timeout_s)
            return self._opened

    def _place(self, run_id: str) -> RunArtifacts:
        runs, calls = self._store()
        found = _PLACE.fullmatch(str(runs.get_run(run_id).info.artifact_uri))
        if found is None:
            raise TrackingRefused(
                f"the run {run_id} keeps its files outside the workspace",
                cure="fetch them with the tool that made it",
            )
        return RunArtifacts(calls, self._blobs, self._patience, found[1], found[2])
