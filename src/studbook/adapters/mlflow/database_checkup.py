"""What can be wrong between here and the tracking database of a database server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ...domain.errors import TrackingDenied, TrackingError
from ...ports.checkup import Check, Finding, ok, problem, warning
from .artifact_roots import lengths_finding, roots_finding
from .backend import Backend
from .clock_skew import clock_finding, utc_now
from .database_findings import LOCATIONS, RUNS, WORKSPACES, statistics_finding, workspaces_finding
from .database_start import check_tables, is_being_made
from .errors import translated
from .sql_session import read_engine

if TYPE_CHECKING:
    from sqlalchemy import Connection

_CONNECTING_S = 45.0
"""Longer than the driver tries to connect."""
_ANSWERS = ("reachability", "credentials")
_TABLES = (*_ANSWERS, "schema")
_LONG_NAME = "x" * 250
_WRITABLE = """
SELECT name FROM unnest(ARRAY['experiments', 'runs', 'tags', 'params', 'metrics', 'latest_metrics']) AS name
WHERE NOT (has_table_privilege(name, 'INSERT') AND has_table_privilege(name, 'UPDATE'))
"""
_MAY_MAKE = "SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)"


class DatabaseCheckup:
    """Looks at a database whose tables need not be made, and never makes them. `now` is this machine's clock, UTC.

    Of databases other than PostgreSQL it asks only what all of them answer.
    """

    def __init__(self, backend: Backend, *, now: Callable[[], datetime] = utc_now) -> None:
        self._backend = backend
        self._now = now

    def checks(self) -> tuple[Check, ...]:
        """From the network to what the database holds."""
        of_postgres = (
            Check("database", self._rights, _TABLES),
            Check("first start", self._first_start, _ANSWERS),
            Check("statistics", self._statistics, _TABLES),
            Check("clock", self._clock, _ANSWERS),
        )
        return (
            Check("reachability", self._reachability, timeout_s=_CONNECTING_S),
            Check("credentials", self._credentials, ("reachability",)),
            Check("schema", self._schema, _ANSWERS),
            *(of_postgres if self._backend.uri.startswith("postgresql") else ()),
            Check("workspaces", self._workspaces, _TABLES),
            Check("artifact root", self._artifact_root, _TABLES),
            Check("artifact length", self._artifact_length, _TABLES),
        )

    def _reachability(self) -> Finding:
        if self._refusal is not None and not isinstance(self._refusal, TrackingDenied):
            raise self._refusal
        return ok("the database server answers")

    def _credentials(self) -> Finding:
        if self._refusal is not None:
            raise self._refusal
        return ok("the database server lets this user in")

    def _schema(self) -> Finding:
        revision = check_tables(self._backend.uri)
        return ok("to be made" if revision is None else f"revision {revision}, that of the installed MLflow")

    def _rights(self) -> Finding:
        with self._asked() as connection:
            ((replica,),) = connection.exec_driver_sql("SELECT pg_is_in_recovery()")
            ((may_make,),) = connection.exec_driver_sql(_MAY_MAKE)
        locked = [name for (name,) in self._rows(_WRITABLE)]
        if replica:
            return problem(
                "the server is a replica, which takes no writes", "name its primary in the tracking URI"
            )
        if locked:
            return problem(
                f"this user may not write the tables {', '.join(locked)}",
                "grant SELECT, INSERT, UPDATE and DELETE on all of MLflow's tables to this user",
            )
        if not self._is_made and not may_make:
            return problem(
                "the tables are to be made, and this user may not", "grant CREATE on the schema to this user"
            )
        return ok("the tables can be written" if self._is_made else "the tables can be made")

    def _first_start(self) -> Finding:
        with self._asked() as connection:
            busy = is_being_made(connection)
        if busy and not self._is_made:
            return warning("another process is making the tables now", "repeat in a minute")
        return ok("done" if self._is_made else "to come")

    def _statistics(self) -> Finding:
        ((runs,),) = self._rows(RUNS) or [(0,)]
        known = bool(self._rows("SELECT 1 FROM pg_stats WHERE tablename = 'runs' LIMIT 1"))
        return statistics_finding(runs, "psql <the tracking URI> -c ANALYZE", known=known)

    def _clock(self) -> Finding:
        with self._asked() as connection:
            ((there,),) = connection.exec_driver_sql("SELECT clock_timestamp()")
        return clock_finding(self._now(), there)

    def _workspaces(self) -> Finding:
        return workspaces_finding(str(name) for (name,) in self._rows(WORKSPACES))

    def _artifact_root(self) -> Finding:
        root = str(self._backend.artifact_root)
        others = [place for place in self._locations if not place.startswith(f"{root}/")]
        return roots_finding([root, *others], here=False)

    def _artifact_length(self) -> Finding:
        new = str(self._backend.artifact_location(_LONG_NAME))
        return lengths_finding([new, *self._locations], enforced=True)

    @property
    def _locations(self) -> list[str]:
        return [str(place) for (place,) in self._rows(LOCATIONS) if place]

    @cached_property
    def _refusal(self) -> TrackingError | None:
        """Why there is no connection."""
        try:
            with self._asked() as connection:
                connection.exec_driver_sql("SELECT 1")
        except TrackingError as error:
            return error
        return None

    @cached_property
    def _is_made(self) -> bool:
        from sqlalchemy import inspect

        with self._asked() as connection:
            return bool(inspect(connection).has_table("experiments"))

    def _rows(self, question: str) -> list[Any]:
        """The answer; nothing from tables that are not made."""
        if not self._is_made:
            return []
        with self._asked() as connection:
            return list(connection.exec_driver_sql(question))

    @contextmanager
    def _asked(self) -> Iterator[Connection]:
        """A connection that cannot write."""
        with translated():
            engine = read_engine(self._backend.uri, None)
            try:
                with engine.connect() as connection:
                    yield connection
            finally:
                engine.dispose()
