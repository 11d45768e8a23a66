"""Where Optuna keeps a study: this process's memory, or a database by its URL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .vendor_errors import storage_of_a_new_study

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

_LOCK_WAIT_SECONDS = 60


def database_storage(url: str) -> RDBStorage:
    """The database, its tables made and, for SQLite, its folder too. Raises StudyInvalid or SweepError."""
    from optuna.storages import RDBStorage
    from sqlalchemy.engine import make_url

    with storage_of_a_new_study(url):
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            # A server may have dropped a connection that waited through a long training.
            return RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
        if parsed.database and parsed.database != ":memory:" and not parsed.database.startswith("file:"):
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        return RDBStorage(url, engine_kwargs={"connect_args": {"timeout": _LOCK_WAIT_SECONDS}})


def close_database(storage: RDBStorage) -> None:
    """Give back this thread's session and all pooled connections."""
    storage.remove_session()
    storage.engine.dispose()
