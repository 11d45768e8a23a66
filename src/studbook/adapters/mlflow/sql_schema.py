"""Whether a tracking database is one whose tables we know: of a known revision, with the columns that are read."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection

KNOWN_REVISIONS = frozenset(
    {
        "6f8d9c3b2a1e",  # mlflow 3.15
        "b7e2c1a4d9f3",  # mlflow 3.16
        "dc11669786a5",  # mlflow 3.17
        "f4a9b2c7d1e6",  # mlflow 3.18.0
    }
)

_TEXT, _WHOLE, _NUMBER, _TRUTH = "String", "Integer", "Float", "Boolean"
_POINT = {
    "key": _TEXT,
    "value": _NUMBER,
    "timestamp": _WHOLE,
    "step": _WHOLE,
    "is_nan": _TRUTH,
    "run_uuid": _TEXT,
}
_COLUMNS = {
    "experiments": {"experiment_id": _WHOLE, "name": _TEXT, "lifecycle_stage": _TEXT, "workspace": _TEXT},
    "runs": {
        "run_uuid": _TEXT,
        "name": _TEXT,
        "status": _TEXT,
        "start_time": _WHOLE,
        "end_time": _WHOLE,
        "lifecycle_stage": _TEXT,
        "experiment_id": _WHOLE,
    },
    "tags": {"key": _TEXT, "value": _TEXT, "run_uuid": _TEXT},
    "params": {"key": _TEXT, "value": _TEXT, "run_uuid": _TEXT},
    "metrics": _POINT,
    "latest_metrics": _POINT,
}
_KEYS = {
    "experiments": ("experiment_id",),
    "runs": ("run_uuid",),
    "tags": ("key", "run_uuid"),
    "params": ("key", "run_uuid"),
    "latest_metrics": ("key", "run_uuid"),
}


class Schema(StrEnum):
    """What the tables are: not there yet, those that are known, or others."""

    ABSENT = "absent"
    KNOWN = "known"
    UNKNOWN = "unknown"


def schema_of(connection: Connection) -> tuple[Schema, str]:
    """What the tables are, and what is odd about unknown ones."""
    from sqlalchemy import inspect
    from sqlalchemy.exc import DatabaseError, OperationalError

    try:
        tables = frozenset(inspect(connection).get_table_names())
        if "alembic_version" not in tables:
            return Schema.ABSENT, ""
        odd = _odd_revision(connection) or _odd_tables(connection, tables)
    except OperationalError:
        raise
    except DatabaseError as error:  # no database at all
        return Schema.UNKNOWN, type(error.orig).__name__
    return (Schema.UNKNOWN, odd) if odd else (Schema.KNOWN, "")


def _odd_revision(connection: Connection) -> str | None:
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").fetchall()
    revisions = [str(row[0]) for row in found]
    if len(revisions) == 1 and revisions[0] in KNOWN_REVISIONS:
        return None
    return f"schema revision {', '.join(revisions) or 'none'}"


def _odd_tables(connection: Connection, tables: frozenset[str]) -> str | None:
    if missing := _COLUMNS.keys() - tables:
        return f"no table {min(missing)}"
    return next((odd for table in _COLUMNS if (odd := _odd_table(connection, table))), None)


def _odd_table(connection: Connection, table: str) -> str | None:
    from sqlalchemy import inspect, types

    inspector = inspect(connection)
    found = {column["name"]: column["type"] for column in inspector.get_columns(table)}
    for name, kind in _COLUMNS[table].items():
        if name not in found or not isinstance(found[name], getattr(types, kind)):
            return f"column {table}.{name}"
    key = tuple(inspector.get_pk_constraint(table)["constrained_columns"])
    return f"primary key of {table}" if key != _KEYS.get(table, key) else None
