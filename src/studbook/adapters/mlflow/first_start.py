"""The SQLite database of a tracking store: made once, whole, whoever else is starting at the same moment.

MLflow makes it without a lock: eight processes on a fresh file all fail, and the file stays unusable. So it
is built beside its place, under a file lock, and linked into place when it is complete.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from ...domain.errors import StoreSchemaMismatch, TrackingUnavailable
from .errors import translated
from .sqlite_file import asked

_LOCK_TIMEOUT_S = 300.0
_BUSY_TIMEOUT_S = 20.0


def ensure_database(database: Path, artifact_root: str) -> None:
    """Make sure that the file is a database of the installed MLflow's revision.

    Absent: it is made. Another revision, or half-made: StoreSchemaMismatch; nothing is upgraded or repaired.
    TrackingUnavailable when its place cannot be written, or another process takes too long to make it.
    """
    head = installed_revision()
    if _revision(database) == head:
        return
    from filelock import FileLock, Timeout

    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{database}.init.lock", timeout=_LOCK_TIMEOUT_S):
            if _revision(database) is None:
                _make(database, artifact_root)
            found = _revision(database)
    except Timeout as error:
        raise TrackingUnavailable(
            f"another process has been making {database} for {_LOCK_TIMEOUT_S:.0f} s",
            cure="end that process, or wait for it",
        ) from error
    except OSError as error:
        raise TrackingUnavailable(
            f"the database {database} cannot be made: {error.strerror or error}",
            cure="make its folder writable, or give another tracking URI",
        ) from error
    if found != head:
        raise _other_revision(database, found, head)


def _make(database: Path, artifact_root: str) -> None:
    aside = database.with_name(f"{database.name}.init-{os.getpid()}")
    _drop(aside)  # of an earlier process with this id, which died here
    try:
        _build(aside, artifact_root)
        _publish(aside, database)
    finally:
        _drop(aside)


def _build(aside: Path, artifact_root: str) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    quiet()
    with translated():
        store = SqlAlchemyStore(f"sqlite:///{aside}", artifact_root)  # type: ignore[no-untyped-call]
        store.engine.dispose()


def _publish(aside: Path, database: Path) -> None:
    if database.exists() and database.stat().st_size == 0:
        aside.replace(database)
        return
    try:
        os.link(aside, database)
    except FileExistsError:
        return
    except OSError:  # a file system without hard links
        if not database.exists():
            aside.rename(database)


def _drop(aside: Path) -> None:
    for suffix in ("", "-journal"):
        aside.with_name(aside.name + suffix).unlink(missing_ok=True)


def check_revision(database: Path, *, patience_s: float) -> str | None:
    """The schema revision, which is that of the installed MLflow; None where nothing is made yet.

    Another's lock is waited for. Raises StoreSchemaMismatch, TrackingUnavailable.
    """
    found = _revision(database, patience_s)
    if found is None:
        return None
    head = installed_revision()
    if found != head:
        raise _other_revision(database, found, head)
    return found


def _revision(database: Path, patience_s: float = _BUSY_TIMEOUT_S) -> str | None:
    """The schema revision that the file holds; None when there is no file, or only an empty one."""
    if not database.exists() or database.stat().st_size == 0:
        return None
    with asked(database, patience_s=patience_s) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        rows = []
        if "alembic_version" in tables:
            rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    if len(rows) != 1:
        raise StoreSchemaMismatch(
            f"{database} is half-made: it has tables, and says no MLflow schema revision",
            cure="if another program is making it now, wait for it; else move the file away and start again",
        )
    return str(rows[0][0])


def installed_revision() -> str:
    """The schema revision that the installed MLflow needs."""
    import mlflow
    from alembic.script import ScriptDirectory

    migrations = Path(mlflow.__file__).parent / "store" / "db_migrations"
    head = ScriptDirectory(str(migrations)).get_current_head()
    if head is None:
        raise StoreSchemaMismatch(
            "the installed MLflow names no schema revision", cure="install mlflow anew, 3.15 to 3.18"
        )
    return head


def _other_revision(database: Path, found: str | None, head: str) -> StoreSchemaMismatch:
    import mlflow

    return StoreSchemaMismatch(
        f"{database} has the schema revision {found}, and mlflow {mlflow.__version__} needs {head}",
        cure=f"install the MLflow that made it; or back the file up, then run: "
        f"mlflow db upgrade sqlite:///{database}",
        found=found,
        expected=head,
    )


def quiet() -> None:
    """Keep MLflow's narration of migrations and of errors, which we translate, off the terminal."""
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
