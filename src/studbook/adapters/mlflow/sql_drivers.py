"""Which driver reaches a database server, and how its URI is written for SQLAlchemy."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from ...domain.errors import ConfigError, UnsupportedTarget

if TYPE_CHECKING:
    from sqlalchemy import URL

_DRIVERS = {
    "postgresql": {"psycopg2": "psycopg2"},
    "mysql": {"mysqldb": "MySQLdb", "pymysql": "pymysql"},
    "mssql": {"pyodbc": "pyodbc", "pymssql": "pymssql"},
}
"""By kind of database: SQLAlchemy's names of drivers with the module of each, the preferred one first."""

_INSTALL = {
    "postgresql": "pip install 'studbook[postgresql]'",
    "mysql": "pip install mysqlclient",
    "mssql": "pip install pyodbc",
}
# MLflow compares numbers with text in its filters, which these drivers' types do not let through.
_UNUSABLE = frozenset({"psycopg", "psycopg_async", "asyncpg"})
_CONNECT_TIMEOUT_S = 30

DATABASE_SCHEMES = frozenset(_DRIVERS)


def with_driver(uri: str) -> str:
    """The URI with the driver that it names, else the first that is installed: SQLAlchemy's own choice differs
    by its version. Drivers are looked up and not imported. Raises ConfigError when there is none, UnsupportedTarget
    for one that MLflow cannot work with.
    """
    scheme, colon, rest = uri.partition(":")
    kind, _, named = scheme.lower().partition("+")
    if named in _UNUSABLE:
        raise UnsupportedTarget(
            f"MLflow's searches fail through the driver {named}",
            cure=f"write {kind}:// without a driver, and: {_INSTALL[kind]}",
        )
    known = _DRIVERS[kind]
    wanted = {named: known.get(named, named)} if named else known
    for driver, module in wanted.items():
        if find_spec(module) is not None:
            return f"{kind}+{driver}{colon}{rest}"
    asked = named if named and named != next(iter(known)) else ""
    raise ConfigError(
        f"Python has no driver for {kind} databases here{f': {asked} is not installed' if asked else ''}",
        cure=f"pip install {asked}" if asked else _INSTALL[kind],
    )


def database_url(uri: str) -> URL:
    """The URI in its parts, with a limit on how long connecting may take. Raises UnsupportedTarget, without its
    text: it may hold a password.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(uri)
    except (ArgumentError, ValueError):
        url = None
    if url is None or not url.database:
        raise UnsupportedTarget(
            "the tracking URI names no database, or cannot be read",
            cure="write <scheme>://<user>:<password>@<host>/<database>; in a password, write @ as %40, / as %2F, "
            ": as %3A",
        )
    if url.get_backend_name() != "postgresql" or "connect_timeout" in url.query:
        return url
    return url.update_query_dict({"connect_timeout": str(_CONNECT_TIMEOUT_S)})
