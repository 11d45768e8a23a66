"""Opening what a tracking URI names: MLflow's own store object for a database, ours for a server.

MLflow's object and not `MlflowClient`, which wraps it: the client's methods report usage to the vendor, and
only an environment variable, which is not ours to write, stops that. Ours for a server, because MLflow's
repeats every request by itself, the creation of a run included.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from ...domain.errors import UnsupportedTarget
from .errors import translated
from .first_start import ensure_database, quiet
from .mlflow_store import MlflowStore
from .pace import Pace
from .patience import ONCE, Patience
from .rest_calls import TIMEOUT_S, RestCalls
from .rest_store import RestStore

_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")
_SERVERS = frozenset({"http", "https"})


@dataclass(frozen=True, slots=True)
class Backend:
    """An MLflow backend that is not opened yet.

    `database` is the file of a `sqlite:` target; `artifact_root` holds the artifacts of experiments that
    are made here (None: the server decides). `pace` is that of all requests to a server.
    """

    uri: str = field(repr=False)
    database: Path | None
    artifact_root: str | None
    pace: Pace = field(default_factory=Pace, repr=False, compare=False)

    @classmethod
    def of(cls, uri: str, artifact_root: str | None = None) -> Backend:
        """What the URI names. Raises UnsupportedTarget, without the URI's text: it may hold a password."""
        scheme = uri.partition(":")[0].lower()
        if scheme in _SERVERS:
            return cls(uri, None, artifact_root)
        if scheme == "sqlite":
            database = _database(uri)
            root = artifact_root or str(database.parent / "mlartifacts")
            return cls(f"sqlite:///{database}", database, root)
        raise UnsupportedTarget(
            f"the MLflow adapter does not open {scheme[:20]!r} targets",
            cure="use sqlite:///<absolute path>, http:// or https://",
        )

    def open(self, *, timeout_s: float = TIMEOUT_S, patience: Patience = ONCE) -> MlflowStore:
        """The store. A SQLite database is made when it is absent; the rest is about servers' questions."""
        if self.database is None:
            return RestStore(server_calls(self.uri, timeout_s=timeout_s, patience=patience, pace=self.pace))
        root = self.artifact_root or str(self.database.parent)
        ensure_database(self.database, root)
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        quiet()
        with translated():
            return SqlAlchemyStore(self.uri, root)  # type: ignore[no-untyped-call]

    def artifact_location(self, experiment: str) -> str | None:
        """Where a new experiment's artifacts go: its own folder below the root."""
        if self.artifact_root is None:
            return None
        name = experiment
        if not _FOLDER.fullmatch(experiment):
            name = f"experiment-{hashlib.sha256(experiment.encode()).hexdigest()[:16]}"
        return f"{self.artifact_root.rstrip('/')}/{name}"

    def run_page(self, experiment_id: str, run_id: str) -> str | None:
        """The run's page on a server, without user and password; None for a database."""
        if self.database is not None:
            return None
        parts = urlsplit(self.uri)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(
            (
                parts.scheme,
                host,
                parts.path.rstrip("/") + "/",
                "",
                f"/experiments/{experiment_id}/runs/{run_id}",
            )
        )


def server_calls(uri: str, *, timeout_s: float, patience: Patience, pace: Pace) -> RestCalls:
    """Requests to the server, with the credentials that MLflow's own clients would use."""
    from mlflow.utils.credentials import get_default_host_creds

    return RestCalls(partial(get_default_host_creds, uri), timeout_s=timeout_s, patience=patience, pace=pace)


def _database(uri: str) -> Path:
    path = Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None
    if path is None or not path.is_absolute() or "?" in uri:
        raise UnsupportedTarget(
            "a SQLite target needs an absolute path, and no options",
            cure="write sqlite:/// and the absolute path: sqlite:////home/me/project/mlflow.db",
        )
    return path
