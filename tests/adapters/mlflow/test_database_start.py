"""The tables on a PostgreSQL server: made once, never over what is there; what goes wrong is told in our words."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest

from servers.mlflow_server import free_port
from servers.postgres import Postgres, name_of
from studbook.adapters.mlflow import database_start
from studbook.adapters.mlflow.backend import Backend
from studbook.adapters.mlflow.database_start import ensure_tables
from studbook.adapters.mlflow.sql_drivers import with_driver
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.domain.errors import (
    ConfigError,
    StoreSchemaMismatch,
    TrackingDenied,
    TrackingError,
    TrackingUnavailable,
    UnsupportedTarget,
)
from studbook.domain.store_writes import RecordBatch
from studbook.ports.contract.tracking_examples import RUN_KEY_TAG, fresh_name, ids, new_run
from studbook.ports.run_query import ANY_STATUS, RunQuery

HERE = Path(__file__).parent


def make(uri: str) -> None:
    """Make sure of the tables."""
    ensure_tables(with_driver(uri), "/nowhere")


def test_eight_processes_at_once_all_finish_their_runs_and_plain_mlflow_finds_them(
    empty: str, tmp_path: Path
) -> None:
    ended = subprocess.run(
        [sys.executable, HERE / "start_at_once.py", empty, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")

    from mlflow import MlflowClient

    uri = with_driver(empty)
    client = MlflowClient(uri, registry_uri=uri)
    experiment = client.get_experiment_by_name("together")
    assert experiment is not None
    assert experiment.artifact_location == str(tmp_path / "together")
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(run.info.run_name for run in runs) == [f"run {number}" for number in range(8)]
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert [len(client.get_metric_history(run.info.run_id, "m")) for run in runs] == [5] * 8


def test_another_revision_is_refused_with_both_and_never_upgraded(
    database_server: Postgres, database: str
) -> None:
    revision = "SELECT version_num FROM alembic_version"
    ((head,),) = database_server.execute(revision, name_of(database))
    database_server.execute("UPDATE alembic_version SET version_num = '0123456789ab'", name_of(database))
    with pytest.raises(StoreSchemaMismatch) as mismatch:
        make(database)
    assert "0123456789ab" in mismatch.value.problem
    assert str(head) in mismatch.value.problem
    assert "mlflow db upgrade" in mismatch.value.cure
    assert database_server.execute(revision, name_of(database)) == [("0123456789ab",)]


@pytest.mark.parametrize("statement", ["DROP TABLE alembic_version", "DELETE FROM alembic_version"])
def test_a_half_made_database_is_refused_and_never_repaired(
    database_server: Postgres, database: str, statement: str
) -> None:
    database_server.execute(statement, name_of(database))
    for _ in range(2):
        with pytest.raises(StoreSchemaMismatch, match="half-made"):
            make(database)


def test_another_programs_database_is_refused_and_left_alone(database_server: Postgres, empty: str) -> None:
    name = name_of(empty)
    database_server.execute("CREATE TABLE alembic_version (version_num text)", name)
    database_server.execute("INSERT INTO alembic_version VALUES ('theirs')", name)
    with pytest.raises(StoreSchemaMismatch, match="theirs"):
        make(empty)
    tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
    assert database_server.execute(tables, name) == [(1,)]


def test_tables_beside_which_others_live_are_made(database_server: Postgres, empty: str) -> None:
    database_server.execute("CREATE TABLE horses (name text)", name_of(empty))
    make(empty)
    make(empty)
    assert database_server.execute("SELECT count(*) FROM experiments", name_of(empty)) == [(1,)]


def test_whoever_makes_the_tables_for_too_long_is_not_waited_for(
    database_server: Postgres, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_start, "_LOCK_TIMEOUT_MS", 10)
    connection = psycopg2.connect(empty)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [database_start._LOCK])
    with pytest.raises(TrackingUnavailable) as caught:
        make(empty)
    assert caught.value.details["code"] == "55P03"
    connection.close()
    make(empty)


def opened(uri: str, tmp_path: Path) -> MlflowTrackingStore:
    """A store that nobody has asked anything yet."""
    return MlflowTrackingStore(uri, run_key_tag=RUN_KEY_TAG, artifact_root=str(tmp_path))


def failure_of(uri: str, tmp_path: Path) -> TrackingError:
    """How both ways of asking fail; the secret is in neither's text."""
    store = opened(uri, tmp_path)
    with pytest.raises(TrackingError) as writing:
        store.create_run(new_run(fresh_name()))
    with pytest.raises(TrackingError) as reading:
        list(store.find(RunQuery((fresh_name(),), ANY_STATUS)))
    assert type(reading.value) is type(writing.value)
    assert "hush" not in f"{writing.value!r} {writing.value} {reading.value}"
    return writing.value


def test_a_server_that_is_not_there_is_an_outage_at_once(tmp_path: Path) -> None:
    failure = failure_of(f"postgresql://me:hush@127.0.0.1:{free_port()}/db", tmp_path)
    assert isinstance(failure, TrackingUnavailable)
    assert failure.details["code"] == "UNREACHABLE"


def test_a_database_that_is_not_there_is_told_so(database_server: Postgres, tmp_path: Path) -> None:
    failure = failure_of(database_server.uri("nowhere").replace("tests@", "tests:hush@"), tmp_path)
    assert isinstance(failure, TrackingUnavailable)
    assert failure.details["code"] == "NO_DATABASE"
    assert "CREATE DATABASE" in failure.cure


def test_a_user_that_is_not_there_is_denied(database_server: Postgres, tmp_path: Path) -> None:
    uri = database_server.uri("postgres").replace("tests@", "stranger:hush@")
    assert isinstance(failure_of(uri, tmp_path), TrackingDenied)


def test_a_wrong_password_is_denied(database_server: Postgres, tmp_path: Path) -> None:
    database_server.execute("CREATE ROLE rider LOGIN PASSWORD 'right'")
    with database_server.asking_for_passwords("rider"):
        uri = database_server.uri("postgres").replace("tests@", "rider:hush@")
        assert isinstance(failure_of(uri, tmp_path), TrackingDenied)


def test_a_user_without_rights_is_denied(database_server: Postgres, database: str, tmp_path: Path) -> None:
    database_server.execute("CREATE ROLE guest LOGIN")
    store = opened(database.replace("tests@", "guest@"), tmp_path)
    with pytest.raises(TrackingDenied):
        store.create_run(new_run(fresh_name()))
    store.close()


@pytest.mark.parametrize(
    "uri",
    ["postgresql://me:hush@host:port/db", "postgresql://me:hush@host", "postgresql://:::/hush"],
)
def test_a_uri_that_cannot_be_read_is_refused_without_its_text(uri: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedTarget) as refused:
        opened(uri, tmp_path).create_run(new_run(fresh_name()))
    assert "hush" not in str(refused.value)


def test_a_missing_driver_is_told_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studbook.adapters.mlflow.sql_drivers.find_spec", lambda _: None)
    with pytest.raises(ConfigError) as caught:
        Backend.of("postgresql://me:hush@host/db", "/nowhere")
    assert caught.value.cure == "pip install 'studbook[postgresql]'"
    assert "hush" not in str(caught.value)


def test_a_driver_that_mlflow_cannot_search_through_is_refused() -> None:
    with pytest.raises(UnsupportedTarget, match="psycopg"):
        Backend.of("postgresql+psycopg://me:hush@host/db", "/nowhere")


def test_the_driver_is_looked_up_and_not_imported(tmp_path: Path) -> None:
    assert importlib.util.find_spec("psycopg2") is not None
    program = (
        "import sys\n"
        "from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore\n"
        "MlflowTrackingStore('postgresql://me:pw@host/db', run_key_tag='k', artifact_root='/a')\n"
        "assert not {'psycopg2', 'sqlalchemy', 'mlflow'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)


def test_a_long_experiment_name_gets_a_location_that_postgresql_can_hold(
    database: str, tmp_path: Path
) -> None:
    store = opened(database, tmp_path)
    name = "h" * 199
    run_id = store.create_run(new_run(name))
    assert store.get_run(run_id).experiment == name
    store.close()


def test_a_server_that_was_restarted_is_used_again(
    database_server: Postgres, database: str, tmp_path: Path
) -> None:
    store = opened(database, tmp_path)
    new = new_run(fresh_name())
    run_id = store.create_run(new)
    everything = RunQuery((new.experiment,), ANY_STATUS)
    assert ids(store.find(everything)) == [run_id]
    database_server.execute(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name_of(database)}'"  # noqa: S608
    )
    store.record(run_id, RecordBatch(tags={"after": "1"}))
    assert ids(store.find(everything)) == [run_id]
    store.close()


def test_a_statement_that_takes_too_long_and_a_deadlock_are_outages(
    database_server: Postgres, database: str, tmp_path: Path
) -> None:
    store = opened(f"{database}?options=-c%20statement_timeout%3D100", tmp_path)
    run_id = store.create_run(new_run(fresh_name()))
    holder = psycopg2.connect(database)
    with holder.cursor() as cursor:
        cursor.execute("LOCK TABLE tags IN ACCESS EXCLUSIVE MODE")
        for question in (
            lambda: store.record(run_id, RecordBatch(tags={"t": "1"})),
            lambda: list(store.find(RunQuery((fresh_name(), "Default"), ANY_STATUS, tags={"t": "1"}))),
        ):
            with pytest.raises(TrackingUnavailable) as caught:
                question()
            assert caught.value.details["code"] == "57014"
    holder.close()
    store.record(run_id, RecordBatch(tags={"t": "1"}))
    store.close()
