"""A tracking database with as many runs as asked: MLflow's tables, filled without MLflow, which would take hours."""

from __future__ import annotations

import csv
import hashlib
import io
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from studbook import Studbook
from studbook.adapters.mlflow.database_start import ensure_tables
from studbook.adapters.mlflow.first_start import ensure_database
from studbook.adapters.mlflow.sql_drivers import with_driver
from studbook.domain.events import Envelope, Event
from studbook.domain.keys import (
    BenchmarkConfigKey,
    BenchmarkKey,
    DataKey,
    EvalKey,
    HardwareKey,
    ProtocolKey,
    RunKey,
    StudyFamilyKey,
    StudyKey,
    TrialKey,
)
from studbook.domain.product_events import BenchmarkMeasured, BenchmarkStarted, Lineage
from studbook.domain.projection import project
from studbook.domain.run import Ending
from studbook.domain.run_events import RunEnded, RunStarted
from studbook.domain.run_identity import RunIdentity, of_benchmark, of_refit, of_trial
from studbook.domain.search_events import RefitStarted, TrialCompleted, TrialStarted
from studbook.domain.stored_run import StoredRun
from studbook.domain.trial import trial_key
from studbook.ports.run_query import ANY_STATUS, RunQuery

PROJECT = "studbook"
EXPERIMENT = f"{PROJECT}-hpo"
FIRST_MS = 1_700_000_000_000

_REFIT_EVERY = 100
_STUDY = StudyKey.of({"name": "bench"})
_OF_STUDY: dict[str, Any] = {
    "study_key": _STUDY,
    "family_key": StudyFamilyKey.of({"name": "bench"}),
    "model_family": "svm",
    "objectives": (("score", "maximize"),),
}
_COPIED = 1_000

Rows = Iterator[tuple[Any, ...]]


def fill_file(database: Path, runs: int) -> str:
    """Make and fill an SQLite database; its URI."""
    ensure_database(database, str(database.parent / "mlartifacts"))
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("PRAGMA synchronous = OFF")
        for table, columns, rows in _tables(runs):
            marks = ", ".join("?" * len(columns))
            connection.executemany(
                f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})",
                rows,
            )
    return f"sqlite:///{database}"


def fill_database(uri: str, artifact_root: str, runs: int) -> None:
    """Make and fill a PostgreSQL database."""
    import psycopg2

    ensure_tables(with_driver(uri), artifact_root)
    with closing(psycopg2.connect(uri)) as connection, connection, connection.cursor() as cursor:
        for table, columns, rows in _tables(runs):
            text = io.StringIO()
            csv.writer(text).writerows(rows)
            text.seek(0)
            cursor.copy_expert(f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT csv)", text)


def memory_book(home: Path, runs: int) -> Studbook:
    """A book whose store in memory holds a study of so many runs, one of every hundred a refit, one a benchmark."""
    book = Studbook.open("memory://", home=home, delivery="manual")
    sequence = count(1)
    envelopes = (
        Envelope(
            writer="bench",
            sequence=(number := next(sequence)),
            occurred_at_ns=(FIRST_MS + number) * 1_000_000,
            run_key=run_key,
            event=event,
        )
        for run_key, event in _events(runs)
    )
    book.container.store_writer().write(write for envelope in envelopes for write in project(envelope))
    return book


def _tables(runs: int) -> Iterator[tuple[str, tuple[str, ...], Rows]]:
    """The rows by table, some runs at a time: copies of a few runs, with keys of their own."""
    yield (
        "experiments",
        ("experiment_id", "name", "artifact_location", "lifecycle_stage", "workspace"),
        iter([(1, EXPERIMENT, "/nowhere", "active", "default")]),
    )
    with tempfile.TemporaryDirectory() as folder, memory_book(Path(folder), _COPIED) as book:
        stored = list(book.container.tracking_store().find(RunQuery((EXPERIMENT,), ANY_STATUS)))
    for number in range(runs // _COPIED):
        yield from _copies(stored, number)


def _copies(runs: list[StoredRun], number: int) -> Iterator[tuple[str, tuple[str, ...], Rows]]:
    ids = {run.run_id: _digest(run.run_id, number)[:32] for run in runs}
    later = number * 10 * _COPIED

    def pairs(kind: str) -> Rows:
        return (
            (ids[run.run_id], key, _copied(value, number))
            for run in runs
            for key, value in getattr(run, kind).items()
        )

    fixed = {"experiment_id": 1, "lifecycle_stage": "active", "source_type": "UNKNOWN", "user_id": "bench"}
    columns = ("run_uuid", "name", "status", "start_time", "end_time", "artifact_uri", *fixed)
    rows = (
        (
            ids[run.run_id],
            run.name,
            str(run.status),
            run.started_at_ms + later,
            (run.ended_at_ms or 0) + later,
            "/nowhere",
            *fixed.values(),
        )
        for run in runs
    )
    yield "runs", columns, rows
    yield "tags", ("run_uuid", "key", "value"), pairs("tags")
    yield "params", ("run_uuid", "key", "value"), pairs("params")
    for table in ("latest_metrics", "metrics"):
        points = ((*row, FIRST_MS, 0, False) for row in pairs("metrics"))
        yield table, ("run_uuid", "key", "value", "timestamp", "step", "is_nan"), points


def _copied(value: object, number: int) -> object:
    """Keys of runs, trials and benchmarks differ from copy to copy, together; all else is the same."""
    if isinstance(value, str) and value.startswith(("rk3:", "tk3:", "bk3:")):
        return value[:4] + _digest(value, number)
    return value


def _digest(text: str, number: int) -> str:
    return hashlib.sha256(f"{number} {text}".encode()).hexdigest()


def _events(runs: int) -> Iterator[tuple[RunKey, Event]]:
    """A study's runs: trials, and for every hundredth of them a refit, and a benchmark of it."""
    related = runs // _REFIT_EVERY
    for number in range(runs - 2 * related):
        params: dict[str, JsonValue] = {
            "C": 0.001 * (1 + number),
            "kernel": "rbf",
            **{f"p{i}": number % (i + 2) for i in range(8)},
        }
        key = trial_key(_STUDY, params)
        trial = of_trial(PROJECT, key, 1)
        score = number * 7919 % 10_007 / 10_007
        metrics = {f"m{i}": score / (i + 1) for i in range(5)}
        yield from _run(
            trial,
            TrialStarted(trial_key=key, number=number, params=params, **_OF_STUDY),
            TrialCompleted(number=number, trial_key=key, values={"score": score}, metrics=metrics),
        )
        if number < related:
            yield from _refit(trial.key, key, number, params)


def _refit(
    trial: RunKey, key: TrialKey, number: int, params: dict[str, JsonValue]
) -> Iterator[tuple[RunKey, Event]]:
    protocol = ProtocolKey.of({"name": "bench"})
    refit = of_refit(PROJECT, key, protocol, 1)
    started = RefitStarted(
        study_name="bench",
        data_key=DataKey.of({"name": "bench"}),
        eval_key=EvalKey.of({"name": "bench"}),
        data_mode="declared",
        trial_run=trial,
        trial_key=key,
        trial_number=number,
        protocol=protocol,
        reason="requested",
        validation="none",
        params=params,
        settings={},
        **_OF_STUDY,
    )
    yield from _run(refit, started)
    benchmark_key = BenchmarkKey.of({"subject": str(refit.key)})
    yield from _run(
        of_benchmark(PROJECT, benchmark_key, 1),
        BenchmarkStarted(
            benchmark_key=benchmark_key,
            config=BenchmarkConfigKey.of({"name": "bench"}),
            hardware=HardwareKey.of({"name": "bench"}),
            subject=refit.key,
            environment={"device": "cpu"},
            settings={},
            lineage=Lineage(source="refit", trial=trial, refit=refit.key),
        ),
        BenchmarkMeasured(benchmark_key=benchmark_key, metrics={"batch_1_mean_ms": 1.0 + number % 7}),
    )


def _run(identity: RunIdentity, *told: Event) -> Iterator[tuple[RunKey, Event]]:
    """A run from its start to its end."""
    started = RunStarted(
        project=identity.project,
        stage=identity.stage,
        subject=identity.subject,
        attempt=1,
        name=f"{identity.stage}-{identity.key.short}",
        experiment=EXPERIMENT,
        version="0",
    )
    for event in (started, *told, RunEnded(ending=Ending.finished())):
        yield identity.key, event
