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

from ...domain.errors import ConfigError, UnsupportedTarget
from .database_start import ensure_tables
from .errors import translated
from .filter_language import MLFLOW, FilterLanguage
from .first_start import ensure_database, quiet
from .mlflow_store import MlflowStore
from .pace import Pace
from .patience import ONCE, Patience
from .rest_calls import TIMEOUT_S, RestCalls
from .rest_store import RestStore
from .sql_drivers import DATABASE_SCHEMES, database_url, with_driver
from .sql_run_reading import SqlRunReader

_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")
_SERVERS = frozenset({"http", "https"})
# A run's artifact URI is its experiment's, 32 digits and "artifacts", in a column of 200 characters.
LONGEST_LOCATION = 200 - len("//artifacts") - 32


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
        """What the URI names. Raises UnsupportedTarget, without the URI's text: it may hold a password; ConfigError
        for a database server without an artifact root, or without a driver to reach it.
        """
        scheme = _scheme(uri)
        if scheme in _SERVERS:
            return cls(uri, None, artifact_root)
        if scheme.partition("+")[0] in DATABASE_SCHEMES:
            if artifact_root is None:
                raise ConfigError(
                    "a tracking database holds no files, and nothing says where those of its runs go",
                    cure="set tracking.artifact_root to a folder or URI (s3://<bucket>/<path>) that every machine "
                    "reaches",
                )
            return cls(with_driver(uri), None, artifact_root)
        if scheme == "sqlite":
            database = _database(uri)
            root = artifact_root or str(database.parent / "mlartifacts")
            return cls(f"sqlite:///{database}", database, root)
        raise UnsupportedTarget(
            f"the MLflow adapter does not open {scheme[:20]!r} targets",
            cure="use sqlite:///<absolute path>, postgresql://, http:// or https://",
        )

    @property
    def is_server(self) -> bool:
        """Whether it is an MLflow server, and no database."""
        return _scheme(self.uri) in _SERVERS

    @property
    def filters(self) -> FilterLanguage:
        """All that MLflow has."""
        return MLFLOW

    def open(self, *, timeout_s: float = TIMEOUT_S, patience: Patience = ONCE) -> MlflowStore:
        """The store. What a database lacks is made first; the rest is about a server's questions."""
        if self.artifact_root is None or self.is_server:
            return RestStore(server_calls(self.uri, timeout_s=timeout_s, patience=patience, pace=self.pace))
        uri = self.uri
        if self.database is not None:
            ensure_database(self.database, self.artifact_root)
        else:
            ensure_tables(uri, self.artifact_root)
            uri = database_url(uri).render_as_string(hide_password=False)
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        quiet()
        with translated():
            return SqlAlchemyStore(uri, self.artifact_root)  # type: ignore[no-untyped-call]

    def table_reader(self) -> SqlRunReader | None:
        """Reads runs from the tables themselves; None for a backend whose tables we do not know."""
        known = self.database is not None or _scheme(self.uri) == "postgresql+psycopg2"
        return SqlRunReader(self.uri, self.database) if known else None

    def artifact_location(self, experiment: str) -> str | None:
        """Where a new experiment's artifacts go: its own folder below the root."""
        if self.artifact_root is None:
            return None
        root = self.artifact_root.rstrip("/")
        limited = self.database is None and len(f"{root}/{experiment}") > LONGEST_LOCATION
        if _FOLDER.fullmatch(experiment) and not limited:
            return f"{root}/{experiment}"
        return f"{root}/experiment-{hashlib.sha256(experiment.encode()).hexdigest()[:16]}"

    def run_page(self, experiment_id: str, run_id: str) -> str | None:
        """The run's page on a server, without user and password; None for a database."""
        if not self.is_server:
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


def _scheme(uri: str) -> str:
    return uri.partition(":")[0].lower()


def _database(uri: str) -> Path:
    path = Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None
    if path is None or not path.is_absolute() or "?" in uri:
        raise UnsupportedTarget(
            "a SQLite target needs an absolute path, and no options",
            cure="write sqlite:/// and the absolute path: sqlite:////home/me/project/mlflow.db",
        )
    return path
