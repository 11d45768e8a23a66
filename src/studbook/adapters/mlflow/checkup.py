"""The checkup of an MLflow backend, by what its URI names."""

from __future__ import annotations

from ...ports.checkup import Checkup
from .backend import Backend
from .database_checkup import DatabaseCheckup
from .server_checkup import ServerCheckup
from .sqlite_checkup import SqliteCheckup


def mlflow_checkup(uri: str, artifact_root: str | None = None) -> Checkup:
    """What looks at the backend. Raises what `Backend.of` raises."""
    backend = Backend.of(uri, artifact_root)
    if backend.is_server:
        return ServerCheckup(backend.uri)
    if backend.database is None:
        return DatabaseCheckup(backend)
    return SqliteCheckup(backend.database, str(backend.artifact_root))
