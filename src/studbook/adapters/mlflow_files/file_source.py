"""The artifacts of a file store's runs, as a source that can be read."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from ...domain.errors import ArtifactNotFound
from ...ports.artifact_store import StoredFile
from ..mlflow.local_run_files import LocalRunFiles
from .run_folder import RunFolder
from .run_source import MlflowFileSource


class MlflowFileArtifacts:
    """See FileSource. A run's files lie where it says; if its folder was moved, in the folder `artifacts` of it."""

    def __init__(self, runs: MlflowFileSource) -> None:
        self._runs = runs

    def list_files(self, run_id: str) -> tuple[StoredFile, ...]:
        """See ArtifactStore."""
        return tuple(StoredFile(path, size) for path, size in sorted(self._files(run_id).sizes().items()))

    def read(self, run_id: str, path: str) -> bytes:
        """See ArtifactStore."""
        return self._files(run_id).read(path)

    def fetch_file(self, run_id: str, path: str, target: Path) -> str:
        """See ArtifactStore."""
        return self._files(run_id).receive(path, target).sha256

    def close(self) -> None:
        """Nothing to give back."""

    def _files(self, run_id: str) -> LocalRunFiles:
        return LocalRunFiles(_place(self._runs.folder(run_id)))


def _place(run: RunFolder) -> Path:
    own = run.path / "artifacts"
    uri = run.artifact_uri
    if uri is None:
        return own
    parts = urlsplit(uri)
    if len(parts.scheme) > 1 and parts.scheme != "file":
        raise ArtifactNotFound(
            f"the files of run {run.run_id} lie at {parts.scheme}://{parts.hostname or ''}, not in the file store",
            cure="copy them to the folder `artifacts` of the run, and take artifact_uri out of its meta.yaml",
            run_id=run.run_id,
        )
    said = Path(unquote(parts.path) if parts.scheme == "file" else uri)
    return said if said.is_absolute() and said.is_dir() else own
