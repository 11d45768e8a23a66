"""The checkup of an MLflow backend, by what its URI names."""

from __future__ import annotations

from ...ports.checkup import Checkup
from .backend import Backend
from .server_checkup import ServerCheckup
from .sqlite_checkup import SqliteCheckup


def mlflow_checkup(uri: str) -> Checkup:
    """What looks at the backend. Raises UnsupportedTarget."""
    backend = Backend.of(uri)
    if backend.database is None:
        return ServerCheckup(backend.uri)
    return SqliteCheckup(backend.database, str(backend.artifact_root))
