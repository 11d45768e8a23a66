"""`find` on a tracking database itself, where its tables are known.

MLflow gives whole runs as objects, page by page, by statements whose cost depends on the database's plan: 100,000
runs take minutes. Here every statement reads one table, by the beginning of a key, by run ids, or from end to end,
so that there is no plan to go wrong; what belongs together is joined by run id in memory.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ...domain.run import RunStatus
from ...domain.stored_run import Lifecycle, StoredRun
from ...ports.log import get_logger
from ...ports.metric_points import canonical_value
from ...ports.run_query import Order, RunQuery
from . import query_translation as translate
from .entities import NAME_TAG, PARENT_TAG, read_status
from .errors import translated
from .sql_schema import Schema, schema_of
from .sql_session import Row, SqlSession, any_of, read_engine, snapshot

if TYPE_CHECKING:
    from sqlalchemy import Engine

V = TypeVar("V")

_log = get_logger(__name__)

_FEW = 1_000
"""So many runs are looked up by their ids; more are found by reading a key, or the table, to its end."""
_CHUNK = 500
_FEW_KEYS = 2
"""So many keys are read by their index; for more, one pass over the whole table is cheaper."""
_SCANNED_SHARE = 4
"""All keys of all runs are read when one in so many runs is asked for, or more."""
_POOLED = 10_000
_RUN_COLUMNS = "run_uuid, experiment_id, name, status, lifecycle_stage, start_time, end_time"


@dataclass(slots=True)
class _Found:
    """A run that still may match: its row, and what was read of it."""

    experiment: str
    name: str | None
    status: RunStatus
    lifecycle: Lifecycle
    started_at_ms: int
    ended_at_ms: int | None
    parent_id: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)


_Runs = dict[str, _Found]


class SqlRunReader:
    """Thread-safe. Needs no MLflow, which takes seconds to import. `database` is the file of a SQLite target."""

    def __init__(self, uri: str, database: Path | None) -> None:
        self._uri = uri
        self._database = database
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._usable = False

    def find(self, query: RunQuery) -> Iterator[StoredRun] | None:
        """All matches in the query's order, with the fields that it asks for, read in one transaction; None where the
        tables are not there yet, or not those that we know, which is logged once.
        """
        if translate.cannot_match(query):
            return iter(())
        return self._read(lambda session: _Reading(session, query).answer())

    def experiments(self) -> tuple[str, ...] | None:
        """The names of all active experiments, sorted; None as `find` does."""

        def names(session: SqlSession) -> tuple[str, ...]:
            where = "workspace = 'default' AND lifecycle_stage = ?"
            rows = session.rows("experiments", "name", where, [Lifecycle.ACTIVE.value])
            return tuple(sorted(name for (name,) in rows))

        return self._read(names)

    def _read(self, question: Callable[[SqlSession], V]) -> V | None:
        with translated():
            engine = self._checked_engine()
            if engine is None:
                return None
            with snapshot(engine) as session:
                return question(session)

    def close(self) -> None:
        """Give back the connections; a later question opens new ones."""
        with self._lock:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()

    def _checked_engine(self) -> Engine | None:
        with self._lock:
            if self._engine is None and self._is_there():
                engine = read_engine(self._uri, self._database)
                schema = self._schema(engine)
                if schema is Schema.ABSENT:
                    engine.dispose()
                    return None
                self._engine, self._usable = engine, schema is Schema.KNOWN
            return self._engine if self._usable else None

    def _is_there(self) -> bool:
        return self._database is None or (self._database.exists() and self._database.stat().st_size > 0)

    def _schema(self, engine: Engine) -> Schema:
        with snapshot(engine) as session:
            schema, odd = schema_of(session.connection)
        if schema is Schema.UNKNOWN:
            _log.warning(
                "reading_through_mlflow",
                unknown=odd,
                cure="runs are read page by page, which is slow where they are many: use an MLflow that this studbook "
                "was tested with",
            )
        return schema


class _Reading:
    """One question, in one transaction."""

    def __init__(self, session: SqlSession, query: RunQuery) -> None:
        self._session = session
        self._query = query
        self._experiments = self._named_experiments()
        self._equal = _equalities(query)

    def answer(self) -> Iterator[StoredRun]:
        runs = self._matches() if self._experiments else {}
        ordered = sorted(runs, key=self._sort_key(runs))[: self._query.limit]
        asked = {run_id: runs[run_id] for run_id in ordered}
        self._read_fields(asked)
        # All is read; each run is made, and given up here, when it is its turn, so that none is held twice.
        return (_stored(run_id, asked.pop(run_id)) for run_id in ordered)

    def _named_experiments(self) -> dict[int, str]:
        found: dict[int, str] = {}
        for chunk in _chunks(tuple(dict.fromkeys(self._query.experiments))):
            where = f"workspace = 'default' AND {any_of('name', chunk)}"
            found.update(self._session.rows("experiments", "experiment_id, name", where, chunk))
        return found

    def _matches(self) -> _Runs:
        few = self._few_candidates()
        if few is not None:
            return self._checked(self._runs_with("run_uuid", few))
        runs = self._runs_with("experiment_id", tuple(self._experiments))
        for table, key, values in self._equal:
            if len(runs) <= _FEW:
                return self._checked(runs)
            found = self._with_value(table, key, values)
            runs = {run_id: runs[run_id] for run_id in found if run_id in runs}
        for name in self._query.has_metrics:
            rows = self._session.rows("latest_metrics", "run_uuid", "key = ?", [name], many=True)
            runs = {run_id: runs[run_id] for (run_id,) in rows if run_id in runs}
        return runs

    def _few_candidates(self) -> list[str] | None:
        """The runs that meet the first condition that only few meet; None if many meet each."""
        for table, key, values in self._equal:
            found = list(self._with_value(table, key, values, limit=_FEW + 1))
            if len(found) <= _FEW:
                return found
        return None

    def _with_value(
        self, table: str, key: str, values: Sequence[str], limit: int | None = None
    ) -> Iterator[str]:
        column = self._unindexed("key") if limit is None else "key"
        where = f"{column} = ? AND {any_of('value', values)}"
        rows = self._session.rows(table, "run_uuid", where, [key, *values], limit=limit, many=True)
        return (run_id for (run_id,) in rows)

    def _runs_with(self, column: str, values: Sequence[V]) -> _Runs:
        runs: _Runs = {}
        for chunk in _chunks(values):
            rows = self._session.rows("runs", _RUN_COLUMNS, any_of(column, chunk), chunk, many=True)
            runs.update(self._kept(rows))
        return runs

    def _kept(self, rows: Iterable[Row]) -> Iterator[tuple[str, _Found]]:
        """The runs of the experiments, lifecycles and statuses that are asked for."""
        lifecycles = {lifecycle.value: lifecycle for lifecycle in self._query.lifecycles}
        for run_id, experiment_id, name, status, text, started, ended in rows:
            experiment, lifecycle = self._experiments.get(experiment_id), lifecycles.get(text)
            if experiment is None or lifecycle is None:
                continue
            known = read_status(status)
            if known in self._query.statuses:
                yield run_id, _Found(experiment, name, known, lifecycle, started or 0, ended or None)

    def _checked(self, runs: _Runs) -> _Runs:
        """Those of few runs that meet all conditions."""
        for table, key, values in self._equal:
            rows = self._rows_by_run(table, "value", frozenset({key}), runs)
            runs = {run_id: runs[run_id] for run_id, _, value in rows if value in values}
        for name in self._query.has_metrics:
            rows = self._rows_by_run("latest_metrics", "value", frozenset({name}), runs)
            runs = {run_id: runs[run_id] for run_id, _, _ in rows}
        return runs

    def _read_fields(self, runs: _Runs) -> None:
        query = self._query
        self._read_tags(runs, query.tag_fields)
        texts = _Pool()
        for run, rows in _by_run(self._rows("params", "value", query.param_fields, runs), runs):
            for _, key, value in rows:
                run.params[texts[key]] = texts[value]
        self._read_metrics(runs, query.metric_fields)

    def _read_tags(self, runs: _Runs, fields: frozenset[str] | None) -> None:
        """The tags, and what MLflow keeps in tags of its own."""
        texts = _Pool()
        wanted = None if fields is None else fields | {PARENT_TAG}
        for run, rows in _by_run(self._rows("tags", "value", wanted, runs), runs):
            for _, key, value in rows:
                if key == PARENT_TAG:
                    run.parent_id = value
                if fields is None or key in fields:
                    run.tags[texts[key]] = texts[value]
        nameless = {run_id: run for run_id, run in runs.items() if not run.name}
        for run_id, _, value in self._rows("tags", "value", frozenset({NAME_TAG}), nameless):
            if run_id in nameless:
                runs[run_id].name = value

    def _read_metrics(self, runs: _Runs, fields: frozenset[str] | None) -> None:
        texts = _Pool()
        missing: dict[str, dict[str, tuple[int, int]]] = {}
        found = self._rows("latest_metrics", "value, is_nan, step, timestamp", fields, runs)
        for run, rows in _by_run(found, runs):
            for run_id, key, value, is_nan, step, timestamp in rows:
                run.metrics[texts[key]] = math.nan if is_nan else canonical_value(value)
                if is_nan:
                    missing.setdefault(key, {})[run_id] = (step, timestamp)
        for key, points in missing.items():
            self._read_true_latest(key, points, runs)

    def _read_true_latest(self, key: str, points: Mapping[str, tuple[int, int]], runs: _Runs) -> None:
        """MLflow ranks NaN as zero among values of one step and timestamp; we rank it below every number."""
        true: dict[str, float] = {}
        for chunk in _chunks(tuple(points)):
            rows = self._session.rows(
                "metrics",
                "run_uuid, step, timestamp, value, is_nan",
                f"{any_of('run_uuid', chunk)} AND key = ?",
                [*chunk, key],
                many=True,
            )
            for run_id, step, timestamp, value, is_nan in rows:
                if points[run_id] == (step, timestamp) and not is_nan:
                    true[run_id] = max(true.get(run_id, -math.inf), canonical_value(value))
        for run_id, value in true.items():
            runs[run_id].metrics[key] = value

    def _rows(self, table: str, columns: str, keys: frozenset[str] | None, runs: _Runs) -> Iterator[Row]:
        """Run id, key and columns of these keys (None: of all) of the runs, and perhaps of others."""
        if not runs or (keys is not None and not keys):
            return iter(())
        if len(runs) <= _FEW or (keys is None and len(runs) * _SCANNED_SHARE < self._runs_in_store()):
            return self._rows_by_run(table, columns, keys, runs)
        if keys is None or len(keys) > _FEW_KEYS:
            return self._rows_by_scan(table, columns, keys)
        return self._rows_by_key(table, columns, keys)

    def _rows_by_run(
        self, table: str, columns: str, keys: frozenset[str] | None, runs: _Runs
    ) -> Iterator[Row]:
        wanted = sorted(keys or ())
        of_keys = f" AND {any_of('key', wanted)}" if wanted else ""
        for chunk in _chunks(tuple(runs)):
            where = any_of("run_uuid", chunk) + of_keys
            yield from self._session.rows(table, f"run_uuid, key, {columns}", where, [*chunk, *wanted])

    def _rows_by_key(self, table: str, columns: str, keys: Iterable[str]) -> Iterator[Row]:
        for key in sorted(keys):
            yield from self._session.rows(table, f"run_uuid, key, {columns}", "key = ?", [key], many=True)

    def _rows_by_scan(self, table: str, columns: str, keys: Iterable[str] | None) -> Iterator[Row]:
        """One pass over the table: by a key's index every row is a jump, and many keys are more jumps than rows."""
        wanted = sorted(keys or ())
        where = any_of(self._unindexed("key"), wanted) if wanted else "1 = 1"
        return self._session.rows(table, f"run_uuid, key, {columns}", where, wanted, many=True)

    def _unindexed(self, column: str) -> str:
        """The column for a pass over the whole table: a sign keeps SQLite from the index; other databases decide by
        their statistics.
        """
        return f"+{column}" if self._session.is_sqlite else column

    def _runs_in_store(self) -> int:
        ((number,),) = self._session.rows("runs", "count(*)", "1 = 1", ())
        return int(number)

    def _sort_key(self, runs: _Runs) -> Callable[[str], tuple[int, str]]:
        sign = 1 if self._query.order is Order.STARTED_ASCENDING else -1
        return lambda run_id: (sign * runs[run_id].started_at_ms, run_id)


class _Pool(dict[str, str]):
    """Gives equal texts back as one object, up to a number of different ones: stores repeat themselves."""

    def __missing__(self, text: str) -> str:
        if len(self) < _POOLED:
            self[text] = text
        return text


def _by_run(rows: Iterator[Row], runs: _Runs) -> Iterator[tuple[_Found, Iterator[Row]]]:
    """The rows with their runs, which are looked up once for rows that follow each other, as most do."""
    for run_id, of_run in groupby(rows, key=itemgetter(0)):
        if run := runs.get(run_id):
            yield run, of_run


def _equalities(query: RunQuery) -> list[tuple[str, str, tuple[str, ...]]]:
    """Table, key and the values of which a run must have one."""
    parent = () if query.parent_id is None else (("tags", PARENT_TAG, (query.parent_id,)),)
    return [
        *parent,
        *(("tags", key, (value,)) for key, value in query.tags.items()),
        *(("params", key, (value,)) for key, value in query.params.items()),
        *(("tags", key, tuple(sorted(values))) for key, values in query.tag_in.items()),
    ]


def _chunks(values: Sequence[V]) -> Iterator[Sequence[V]]:
    return (values[start : start + _CHUNK] for start in range(0, len(values), _CHUNK))


def _stored(run_id: str, found: _Found) -> StoredRun:
    return StoredRun(
        run_id=run_id,
        experiment=found.experiment,
        name=found.name or "",
        status=found.status,
        lifecycle=found.lifecycle,
        started_at_ms=found.started_at_ms,
        ended_at_ms=found.ended_at_ms,
        parent_id=found.parent_id,
        tags=found.tags,
        params=found.params,
        metrics=found.metrics,
    )
