"""MLflow by hand: databases as MLflow itself makes them."""

from __future__ import annotations

import functools
import logging
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient


def database_uri(folder: Path) -> str:
    """The URI of a fresh MLflow database in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(f"{_template().name}/mlflow.db", folder / "mlflow.db")
    return f"sqlite:///{folder / 'mlflow.db'}"


def client_of(uri: str, folder: Path) -> tuple[MlflowClient, str]:
    """A client, and the id of a new experiment whose artifacts lie in the folder."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    return client, str(client.create_experiment("peer", artifact_location=str(folder / "artifacts")))


@functools.cache
def _template() -> tempfile.TemporaryDirectory[str]:
    """A folder with a database, made once a process: MLflow's migrations take seconds, and are no subject here."""
    from mlflow import MlflowClient

    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.ERROR)
    folder = tempfile.TemporaryDirectory(prefix="studbook-bench-template-")
    MlflowClient(tracking_uri=f"sqlite:///{folder.name}/mlflow.db").search_experiments()
    return folder
