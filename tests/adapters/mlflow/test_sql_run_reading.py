"""Reading the tables themselves gives what MLflow gives, from every database that is known; else MLflow is asked."""

from __future__ import annotations

import logging
import math
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine

from studbook.adapters.mlflow import sql_run_reading, sql_schema
from studbook.adapters.mlflow.backend import Backend
from studbook.adapters.mlflow.sql_session import snapshot
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.domain.errors import TrackingUnavailable
from studbook.domain.run import RunStatus
from studbook.domain.store_writes import MetricPoint, RecordBatch
from studbook.domain.stored_run import Lifecycle, StoredRun
from studbook.ports.contract.tracking_examples import (
    AWKWARD,
    RUN_KEY_TAG,
    START,
    fresh_name,
    ids,
    metric,
    new_run,
)
from studbook.ports.contract.tracking_queries import TrackingQueryContract
from studbook.ports.run_query import ANY_STATUS, Order, RunQuery
from studbook.ports.tracking_store import TrackingStore

StoreMaker = Callable[[], MlflowTrackingStore]

_KEYS = ("t", "a.b", "x y/z-1")
_METRICS = ("loss", "val/loss")
_values = st.sampled_from(AWKWARD[:4])
_texts = st.dictionaries(st.sampled_from(_KEYS), _values, max_size=3)
_numbers = st.sampled_from((math.nan, math.inf, -math.inf, 0.0, 1.0, -1.0))
_points = st.builds(
    MetricPoint, st.sampled_from(_METRICS), _numbers, st.integers(START, START + 1), st.integers(0, 1)
)


@dataclass(frozen=True)
class Told:
    """A run to write: in the first or second experiment, below the run before it or not."""

    experiment: int
    started: int
    tags: dict[str, str]
    batch: RecordBatch
    end: RunStatus | None
    deleted: bool
    below: bool


_runs = st.builds(
    Told,
    st.integers(0, 1),
    st.integers(START, START + 2),
    _texts,
    st.builds(RecordBatch, _texts, st.lists(_points, max_size=5).map(tuple), _texts),
    st.none() | st.sampled_from((RunStatus.FINISHED, RunStatus.FAILED)),
    st.booleans(),
    st.booleans(),
)
_some = st.none() | st.frozensets(st.sampled_from(_KEYS), max_size=3)
_queries = st.builds(
    RunQuery,
    st.just(()),
    st.frozensets(st.sampled_from(RunStatus)) | st.just(ANY_STATUS),
    tags=st.dictionaries(st.sampled_from(_KEYS), _values, max_size=2),
    tag_in=st.dictionaries(st.sampled_from(_KEYS), st.frozensets(_values), max_size=1),
    params=st.dictionaries(st.sampled_from(_KEYS), _values, max_size=1),
    has_metrics=st.frozensets(st.sampled_from(_METRICS), max_size=2),
    lifecycles=st.frozensets(st.sampled_from(Lifecycle), min_size=1),
    order=st.sampled_from(Order),
    limit=st.none() | st.integers(0, 4),
    tag_fields=_some,
    param_fields=_some,
    metric_fields=st.none() | st.frozensets(st.sampled_from(_METRICS)),
)


def through_mlflow(store: MlflowTrackingStore, query: RunQuery) -> list[StoredRun]:
    """The answer of MLflow's own store."""
    return list(store._questions.find(query))


def from_tables(store: MlflowTrackingStore, query: RunQuery) -> list[StoredRun]:
    """The answer of the tables; they must be known."""
    assert store._tables is not None
    found = store._tables.find(query)
    assert found is not None
    return list(found)


def comparable(runs: list[StoredRun]) -> list[str]:
    """NaN equal to itself; the order of a run's keys is nobody's."""
    return [
        repr(
            replace(
                run,
                tags=dict(sorted(run.tags.items())),
                params=dict(sorted(run.params.items())),
                metrics=dict(sorted(run.metrics.items())),
            )
        )
        for run in runs
    ]


def agree(new_store: StoreMaker, monkeypatch: pytest.MonkeyPatch, examples: int) -> None:
    """Both ways give the same, whatever is stored and asked, by every way of reading rows."""
    store = new_store()

    @settings(
        max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
    )
    @given(
        st.lists(_runs, min_size=1, max_size=6),
        st.lists(_queries, min_size=3, max_size=8),
        st.sampled_from((0, 1, 2, 1_000)),
        st.integers(0, 2),
    )
    def same(runs: list[Told], queries: list[RunQuery], few: int, few_keys: int) -> None:
        monkeypatch.setattr(sql_run_reading, "_FEW", few)
        monkeypatch.setattr(sql_run_reading, "_FEW_KEYS", few_keys)
        monkeypatch.setattr(sql_run_reading, "_CHUNK", 2)
        experiments = (fresh_name(), fresh_name())
        _fill(store, experiments, runs)
        for query in queries:
            query = replace(query, experiments=experiments)
            assert comparable(from_tables(store, query)) == comparable(through_mlflow(store, query))

    same()


def _fill(store: MlflowTrackingStore, experiments: tuple[str, ...], runs: list[Told]) -> None:
    parent = None
    for run in runs:
        new = new_run(experiments[run.experiment], run.started, run.tags)
        run_id = store.create_run(replace(new, parent_id=parent if run.below else None))
        store.record(run_id, run.batch)
        if run.end is not None:
            store.end_run(run_id, run.end, START + 5)
        if run.deleted:
            store.delete_run(run_id)
        parent = run_id


def test_on_sqlite_both_ways_agree(new_store: StoreMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    agree(new_store, monkeypatch, examples=25)


def test_on_postgresql_both_ways_agree(
    new_database: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MlflowTrackingStore(new_database(), run_key_tag=RUN_KEY_TAG, artifact_root=str(tmp_path))
    agree(lambda: store, monkeypatch, examples=8)
    store.close()


class TestThroughMlflow(TrackingQueryContract):
    """The port's questions where the tables are not known."""

    @pytest.fixture
    def store(self, new_store: StoreMaker, monkeypatch: pytest.MonkeyPatch) -> TrackingStore:
        """A store of a revision that nobody has tested."""
        monkeypatch.setattr(sql_schema, "KNOWN_REVISIONS", frozenset())
        return new_store()


def database(store: MlflowTrackingStore) -> Path:
    """The file below the store."""
    path = cast(Backend, store._backend).database
    assert path is not None
    return path


def execute(path: Path, *statements: str) -> None:
    """The statements, on a connection of its own."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def test_the_tables_of_the_installed_mlflow_are_known(new_store: StoreMaker) -> None:
    engine = create_engine(f"sqlite:///{database(new_store())}")
    with engine.connect() as connection:
        assert sql_schema.schema_of(connection) == (sql_schema.Schema.KNOWN, "")
    engine.dispose()


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("ALTER TABLE tags RENAME TO away", "no table tags"),
        ("ALTER TABLE latest_metrics RENAME COLUMN is_nan TO nan", "column latest_metrics.is_nan"),
        ("ALTER TABLE experiments RENAME TO away", "no table experiments"),
    ],
)
def test_tables_that_are_not_as_known_are_left_to_mlflow_and_told_once(
    new_store: StoreMaker, statement: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = new_store()
    new = new_run(fresh_name())
    store.create_run(new)
    execute(database(store), statement)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            with pytest.raises(TrackingUnavailable):
                list(store.find(RunQuery((new.experiment,), ANY_STATUS)))
    assert [told in record.getMessage() for record in caplog.records] == [True]


def test_another_revision_is_read_through_mlflow_and_told_once(
    new_store: StoreMaker, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_schema, "KNOWN_REVISIONS", frozenset({"another"}))
    store = new_store()
    new = new_run(fresh_name())
    run_id = store.create_run(new)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert ids(store.find(RunQuery((new.experiment,), ANY_STATUS))) == [run_id]
    assert ["schema revision" in record.getMessage() for record in caplog.records] == [True]


def test_a_database_that_is_not_there_yet_is_made_and_nothing_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = MlflowTrackingStore(f"sqlite:///{tmp_path / 'mlflow.db'}", run_key_tag=RUN_KEY_TAG)
    everything = RunQuery(("horses",), ANY_STATUS)
    assert list(store.find(everything)) == []
    assert (tmp_path / "mlflow.db").exists()
    run_id = store.create_run(new_run("horses"))
    assert ids(store.find(everything)) == [run_id]
    assert not caplog.records
    store.close()


def test_reading_imports_no_mlflow(empty_database: Path, tmp_path: Path) -> None:
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    program = (
        "import sys\n"
        "from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore\n"
        "from studbook.ports.run_query import ANY_STATUS, RunQuery\n"
        f"store = MlflowTrackingStore('sqlite:///{tmp_path}/mlflow.db', run_key_tag='k')\n"
        "assert list(store.find(RunQuery(('Default',), ANY_STATUS))) == []\n"
        "assert 'mlflow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_reading_writes_nothing(new_store: StoreMaker) -> None:
    store = new_store()
    new = new_run(fresh_name())
    store.create_run(new)
    store.close()
    before = database(store).read_bytes()
    assert len(list(store.find(RunQuery((new.experiment,), ANY_STATUS)))) == 1
    assert database(store).read_bytes() == before
    assert store._tables is not None
    engine = store._tables._checked_engine()
    assert engine is not None
    with snapshot(engine) as session, pytest.raises(Exception, match="readonly"):
        session.connection.exec_driver_sql("DELETE FROM runs")


def test_what_a_killed_writer_left_is_rolled_back_and_not_stumbled_over(new_store: StoreMaker) -> None:
    store = new_store()
    new = new_run(fresh_name())
    run_id = store.create_run(new)
    assert ids(store.find(RunQuery((new.experiment,), ANY_STATUS))) == [run_id]
    program = (
        "import os, signal, sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1])\n"
        "connection.execute('PRAGMA cache_size = 1')\n"
        "connection.execute('BEGIN')\n"
        "connection.execute('CREATE TABLE t (x)')\n"
        "connection.executemany('INSERT INTO t VALUES (?)', [('x' * 1000,)] * 2000)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, database(store)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert os.path.exists(f"{database(store)}-journal")  # noqa: PTH110
    assert ids(store.find(RunQuery((new.experiment,), ANY_STATUS))) == [run_id]


def test_a_run_without_a_name_is_named_by_its_tag(new_store: StoreMaker) -> None:
    store = new_store()
    new = new_run(fresh_name())
    store.create_run(new)
    execute(database(store), "UPDATE runs SET name = NULL")
    query = RunQuery((new.experiment,), ANY_STATUS)
    assert [run.name for run in from_tables(store, query)] == ["a run"]
    assert comparable(from_tables(store, query)) == comparable(through_mlflow(store, query))


def test_runs_of_another_workspace_are_not_ours(new_store: StoreMaker) -> None:
    store = new_store()
    new = new_run(fresh_name())
    run_id = store.create_run(new)
    query = RunQuery((new.experiment,), ANY_STATUS)
    assert ids(from_tables(store, query)) == [run_id]
    execute(database(store), "UPDATE experiments SET workspace = 'theirs'")
    assert from_tables(store, query) == []


def test_a_whole_answer_is_of_one_moment(new_store: StoreMaker) -> None:
    store = new_store()
    new = new_run(fresh_name())
    run_id = store.create_run(new)
    store.record(run_id, metric("m", 1.0))
    found = store.find(RunQuery((new.experiment, fresh_name()), ANY_STATUS))
    first = next(found)
    store.record(run_id, RecordBatch(tags={"late": "1"}))
    assert (first.metrics, "late" in first.tags) == ({"m": 1.0}, False)
    assert list(found) == []


@pytest.fixture
def held_by_a_writer(new_store: StoreMaker) -> Iterator[MlflowTrackingStore]:
    """A store whose file another connection has locked for good."""
    store = new_store()
    store.create_run(new_run("locked"))
    with closing(sqlite3.connect(database(store), isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield store


def test_a_locked_file_is_an_outage(
    held_by_a_writer: MlflowTrackingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from studbook.adapters.mlflow import sql_session

    monkeypatch.setattr(sql_session, "_BUSY_TIMEOUT_S", 0.01)
    with pytest.raises(TrackingUnavailable, match="locked"):
        list(held_by_a_writer.find(RunQuery(("locked",), ANY_STATUS)))
