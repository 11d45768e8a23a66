"""The tables of a tracking store on a database server: made once, whole, whoever else is starting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ...domain.errors import StoreSchemaMismatch
from .errors import translated
from .first_start import installed_revision, quiet
from .sql_drivers import database_url

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

_LOCK = 0x5354_5544_424F_4F4B  # "STUDBOOK": of this database only, and of nobody else
_WHO_MAKES = """
SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
WHERE datname = current_database() AND locktype = 'advisory' AND classid = %s AND objid = %s AND objsubid = 1
"""
_LOCK_TIMEOUT_MS = 300_000
_MLFLOWS = frozenset({"experiments", "runs"})


def ensure_tables(uri: str, artifact_root: str) -> None:
    """Make sure that the database holds the tables of the installed MLflow's revision.

    No tables: they are made, on PostgreSQL under an advisory lock. Another revision, half-made, or another
    program's: StoreSchemaMismatch; nothing is upgraded or repaired. Raises the TrackingError tree, at once when
    the server cannot be reached.
    """
    from sqlalchemy import NullPool, create_engine

    url = database_url(uri)
    head = installed_revision()
    with translated():
        engine = create_engine(url, poolclass=NullPool)
        _, revisions = _content(engine)
        if revisions == [head]:
            return
        # What looks half-made may be in the making: only who is alone can tell.
        with _alone(engine):
            if _revision(engine, url) is None:
                _make(url, artifact_root)
            found = _revision(engine, url)
    if found != head:
        raise _other_revision(url, found, head)


def check_tables(uri: str) -> str | None:
    """The schema revision, which is that of the installed MLflow; None where nothing is made yet.

    Raises StoreSchemaMismatch, TrackingUnavailable, TrackingDenied.
    """
    from sqlalchemy import NullPool, create_engine

    url = database_url(uri)
    with translated():
        found = _revision(create_engine(url, poolclass=NullPool), url)
    if found is None:
        return None
    head = installed_revision()
    if found != head:
        raise _other_revision(url, found, head)
    return found


def is_being_made(connection: Connection) -> bool:
    """Whether somebody holds, or waits for, the right to make the tables of this PostgreSQL database."""
    rows = connection.exec_driver_sql(_WHO_MAKES, (_LOCK >> 32, _LOCK & 0xFFFF_FFFF))
    return rows.first() is not None


def _make(url: URL, artifact_root: str) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    quiet()
    text = url.render_as_string(hide_password=False)
    SqlAlchemyStore(text, artifact_root).engine.dispose()  # type: ignore[no-untyped-call]


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """Nobody else makes tables meanwhile. The lock ends with its connection, however this process ends."""
    if engine.dialect.name != "postgresql":
        yield
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"SET lock_timeout = {_LOCK_TIMEOUT_MS}")
        connection.exec_driver_sql(f"SELECT pg_advisory_lock({_LOCK})")
        yield


def _revision(engine: Engine, url: URL) -> str | None:
    """The schema revision that the database holds; None when it has neither MLflow's tables nor a revision."""
    tables, revisions = _content(engine)
    if not _MLFLOWS & tables:
        if not revisions:
            return None
        raise StoreSchemaMismatch(
            f"{_named(url)} is another program's: it has the schema revision {revisions[0]}, and no runs",
            cure="give MLflow a database of its own, and name it in the tracking URI",
        )
    if len(revisions) != 1:
        raise StoreSchemaMismatch(
            f"{_named(url)} is half-made: it has MLflow's tables, and says no schema revision",
            cure="if another program is making it now, wait for it; else drop the database, create it anew and "
            "start again",
        )
    return revisions[0]


def _content(engine: Engine) -> tuple[frozenset[str], list[str]]:
    """The tables, and the schema revisions that are recorded."""
    from sqlalchemy import inspect

    with engine.connect() as connection:
        tables = frozenset(inspect(connection).get_table_names())
        if "alembic_version" not in tables:
            return tables, []
        rows = connection.exec_driver_sql("SELECT version_num FROM alembic_version")
        return tables, [str(row[0]) for row in rows]


def _other_revision(url: URL, found: str | None, head: str) -> StoreSchemaMismatch:
    import mlflow

    return StoreSchemaMismatch(
        f"{_named(url)} has the schema revision {found}, and mlflow {mlflow.__version__} needs {head}",
        cure="install the MLflow that made it; or back the database up, then run: "
        "mlflow db upgrade '<the tracking URI>'",
        found=found,
        expected=head,
    )


def _named(url: URL) -> str:
    return f"the database {url.database!r} at {url.host or 'this machine'}"
