"""Reading a tracking database beside MLflow: read-only, one snapshot, rows as the driver gives them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import translated
from .sql_drivers import database_url

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

Row = tuple[Any, ...]

_BUSY_TIMEOUT_S = 20.0
_CACHE_KB = 8_192
_FETCHED = 5_000


class SqlSession:
    """One transaction. Whatever the driver raises comes as SQLAlchemy's error."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.is_sqlite = connection.dialect.name == "sqlite"
        self._numbers = count()

    def rows(
        self,
        table: str,
        columns: str,
        where: str,
        values: Sequence[object],
        *,
        limit: int | None = None,
        many: bool = False,
    ) -> Iterator[Row]:
        """The rows of one table; a `?` in `where` stands for a value. `many` are fetched some at a time, while they
        are iterated.
        """
        from sqlalchemy.exc import DBAPIError

        most = "" if limit is None else f" LIMIT {limit}"
        statement = f"SELECT {columns} FROM {table} WHERE {where}{most}"  # noqa: S608  # names of ours, no values
        driver = self.connection.dialect.loaded_dbapi.Error
        try:
            # The driver's own cursor: SQLAlchemy's rows cost as much as all the rest.
            with closing(self._cursor(many=many)) as cursor:
                cursor.execute(statement if self.is_sqlite else statement.replace("?", "%s"), tuple(values))
                for rows in iter(partial(cursor.fetchmany, _FETCHED), []):
                    yield from rows
        except driver as error:
            raise DBAPIError.instance(None, None, error, driver) from error

    def _cursor(self, *, many: bool) -> Any:
        if self.is_sqlite or not many:
            return self.connection.connection.cursor()
        # With a name it stays on the server; without, all its rows are fetched at once.
        return self.connection.connection.cursor(f"studbook_{next(self._numbers)}")


def any_of(column: str, values: Sequence[object]) -> str:
    """The condition that the column has one of the values."""
    return f"{column} IN ({', '.join('?' * len(values))})"


def read_engine(uri: str, database: Path | None) -> Engine:
    """An engine whose connections cannot write. `database` is the file of a SQLite target."""
    from sqlalchemy import NullPool, create_engine

    if database is not None:
        return create_engine("sqlite://", creator=partial(_open_file, database), poolclass=NullPool)
    with translated():
        return create_engine(
            database_url(uri), pool_size=1, max_overflow=-1, pool_pre_ping=True
        ).execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


@contextmanager
def snapshot(engine: Engine) -> Iterator[SqlSession]:
    """A transaction that sees one state of the database, and ends with the block."""
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN")
        yield SqlSession(connection)


def _open_file(database: Path) -> sqlite3.Connection:
    # Writable as a file, so that the journal of a writer that was killed is rolled back and not stumbled over.
    connection = sqlite3.connect(
        f"{database.as_uri()}?mode=rw",
        uri=True,
        timeout=_BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA query_only = ON")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
    return connection
