"""Deciding among many runs: of a store in memory, and of databases as large as they get, beside MLflow's client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from studbook import Studbook

from .figure import Figure, Unit, cost, speedup
from .large_store import fill_database, fill_file, memory_book
from .measure import Task, in_turns, timed

_SMALL = 2_000
_LARGE = 20_000
_ROUNDS = 5
_FEW = 10_000
_MANY = 100_000
_LINEAR = 1.2
_FASTER = 20.0
_NEAR_SQL = 3.0


def run(folder: Path) -> list[Figure]:
    """`book.select(dry_run=True)`: everything read from the store, parsed, and decided."""
    with memory_book(folder / "small", _SMALL) as small, memory_book(folder / "large", _LARGE) as large:
        small_s, large_s = in_turns([_select(small, _SMALL), _select(large, _LARGE)], _ROUNDS)
    what = f"in memory, time per run, {_LARGE:,} runs against {_SMALL:,}"
    named = ("larger, per run", "smaller")
    return [cost(what, large_s, small_s, named=named), *_on_sqlite(folder), *_on_postgres(folder)]


def _select(book: Studbook, runs: int) -> Task:
    return timed(lambda: book.select("best_metric", dry_run=True), runs)


def _on_sqlite(folder: Path) -> list[Figure]:
    """One round each: paging through the client takes minutes."""
    few, many = (fill_file(_new(folder / str(runs)) / "mlflow.db", runs) for runs in (_FEW, _MANY))
    ours_few, ours, reading = _measured("select", few), _measured("select", many), _measured("find", many)
    sql, client = _measured("sql", many), _measured("client", many)
    name = f"SQLite, {_MANY:,} runs"
    return [
        speedup(f"{name}: reading, against the client's pages", [reading.s], [client.s], _FASTER),
        speedup(f"{name}: the whole decision, against the client's pages", [ours.s], [client.s], _FASTER),
        cost(f"{name}: reading, against SQL by hand", [reading.s], [sql.s], _NEAR_SQL),
        cost(
            f"SQLite: time per run of a decision, {_MANY:,} runs against {_FEW:,}",
            [ours.s / _MANY],
            [ours_few.s / _FEW],
            _LINEAR,
            named=("larger, per run", "smaller"),
        ),
        Figure(
            f"{name}: memory of a decision",
            Unit.MEGABYTES,
            (ours.mb,),
            f"the client's pages {client.mb:.0f} MB",
        ),
    ]


def _on_postgres(folder: Path) -> list[Figure]:
    from servers.postgres import postgres

    with postgres() as server:
        server.execute("CREATE DATABASE bench")
        uri = server.uri("bench")
        fill_database(uri, str(folder), _MANY)
        ours, reading, sql = (_measured(what, uri) for what in ("select", "find", "sql"))
    name = f"PostgreSQL, {_MANY:,} runs"
    return [
        cost(f"{name}: reading, against SQL by hand", [reading.s], [sql.s], _NEAR_SQL),
        Figure(f"{name}: the whole decision", Unit.SECONDS, (ours.s,), f"{ours.mb:.0f} MB"),
    ]


class _Measured:
    """What a process of its own took: seconds for the work, without its imports, and megabytes in all."""

    def __init__(self, said: dict[str, float]) -> None:
        self.s, self.mb = said["s"], said["mb"]


def _measured(what: str, uri: str) -> _Measured:
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.reading", what, uri],
        stdout=subprocess.PIPE,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return _Measured(json.loads(ended.stdout))


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder
