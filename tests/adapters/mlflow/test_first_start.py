"""Making the database: once, whole, and never over what is there."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from studbook.adapters.mlflow.first_start import ensure_database
from studbook.domain.errors import StoreSchemaMismatch, TrackingUnavailable

HERE = Path(__file__).parent


def make(database: Path) -> None:
    """Make sure of the database, with its artifacts beside it."""
    ensure_database(database, str(database.parent / "mlartifacts"))


def execute(database: Path, *statements: str) -> list[tuple[object, ...]]:
    """The rows of the last statement, on a connection of its own."""
    with closing(sqlite3.connect(database)) as connection, connection:
        rows: list[tuple[object, ...]] = []
        for statement in statements:
            rows = connection.execute(statement).fetchall()
        return rows


@pytest.fixture
def database(empty_database: Path, tmp_path: Path) -> Path:
    """A complete database."""
    return Path(shutil.copy(empty_database, tmp_path / "mlflow.db"))


def test_eight_processes_at_once_all_finish_their_runs_and_plain_mlflow_finds_them(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'new' / 'mlflow.db'}"
    ended = subprocess.run(
        [sys.executable, HERE / "start_at_once.py", uri], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")

    from mlflow import MlflowClient

    client = MlflowClient(uri, registry_uri=uri)
    experiment = client.get_experiment_by_name("together")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(run.info.run_name for run in runs) == [f"run {number}" for number in range(8)]
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert [len(client.get_metric_history(run.info.run_id, "m")) for run in runs] == [5] * 8
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["mlflow.db", "mlflow.db.init.lock"]


def test_a_new_database_is_whole_and_keeps_its_artifacts_beside_it(empty_database: Path) -> None:
    assert execute(empty_database, "PRAGMA integrity_check") == [("ok",)]
    assert execute(empty_database, "PRAGMA journal_mode") == [("delete",)]
    ((location,),) = execute(empty_database, "SELECT artifact_location FROM experiments")
    assert location == str(empty_database.parent / "mlartifacts" / "0")
    assert not list(empty_database.parent.glob("*.init-*"))


def test_an_existing_database_is_left_as_it_is(database: Path) -> None:
    before = database.read_bytes()
    make(database)
    assert database.read_bytes() == before
    assert [path.name for path in database.parent.iterdir()] == [database.name]


def test_an_empty_file_becomes_the_database(tmp_path: Path) -> None:
    database = tmp_path / "mlflow.db"
    database.touch()
    make(database)
    assert execute(database, "SELECT count(*) FROM experiments") == [(1,)]


def test_what_a_killed_maker_left_behind_does_not_hinder(tmp_path: Path) -> None:
    database = tmp_path / "mlflow.db"
    (tmp_path / "mlflow.db.init.lock").touch()
    (tmp_path / f"mlflow.db.init-{os.getpid()}").write_bytes(b"half a database")
    make(database)
    assert execute(database, "PRAGMA integrity_check") == [("ok",)]


def test_without_hard_links_the_database_is_renamed_into_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    make(tmp_path / "mlflow.db")
    assert execute(tmp_path / "mlflow.db", "PRAGMA integrity_check") == [("ok",)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mlflow.db", "mlflow.db.init.lock"]


def test_another_revision_is_refused_with_both_and_never_upgraded(database: Path) -> None:
    ((head,),) = execute(database, "SELECT version_num FROM alembic_version")
    execute(database, "UPDATE alembic_version SET version_num = '0123456789ab'")
    before = database.read_bytes()
    with pytest.raises(StoreSchemaMismatch) as mismatch:
        make(database)
    assert "0123456789ab" in mismatch.value.problem
    assert str(head) in mismatch.value.problem
    assert "mlflow db upgrade" in mismatch.value.cure
    assert database.read_bytes() == before


@pytest.mark.parametrize(
    "statements",
    [("DROP TABLE alembic_version",), ("DELETE FROM alembic_version",)],
    ids=["no revision table", "no revision"],
)
def test_a_half_made_database_is_refused_and_never_repaired(
    database: Path, statements: tuple[str, ...]
) -> None:
    execute(database, *statements)
    before = database.read_bytes()
    with pytest.raises(StoreSchemaMismatch, match="half-made"):
        make(database)
    assert database.read_bytes() == before


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text(
        "a text about horses, long enough to be looked at as a database header " * 20
    )
    with pytest.raises(StoreSchemaMismatch):
        make(tmp_path / "mlflow.db")


def test_a_writer_killed_in_a_transaction_leaves_a_usable_database(database: Path) -> None:
    program = (
        "import os, sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1])\n"
        "connection.execute('PRAGMA cache_size = 1')\n"
        "connection.execute('BEGIN')\n"
        "connection.execute('CREATE TABLE t (x)')\n"
        "connection.executemany('INSERT INTO t VALUES (?)', [('x' * 1000,)] * 2000)\n"
        "os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", program, database], check=True)
    assert database.with_name("mlflow.db-journal").exists()
    make(database)
    assert execute(database, "SELECT name FROM sqlite_master WHERE name = 't'") == []


def test_a_place_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TrackingUnavailable):
        make(tmp_path / "file" / "mlflow.db")


@pytest.fixture(scope="module")
def older_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an MLflow of some releases ago made, by its own migrations."""
    import mlflow
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from mlflow.store.tracking.dbmodels.initial_models import Base
    from sqlalchemy import create_engine

    database = tmp_path_factory.mktemp("older") / "mlflow.db"
    migrations = Path(mlflow.__file__).parent / "store" / "db_migrations"
    config = Config(migrations / "alembic.ini")
    config.set_main_option("script_location", str(migrations))
    config.set_main_option("sqlalchemy.url", f"sqlite:///{database}")
    *_, older = [
        each.revision
        for each, _ in zip(ScriptDirectory(str(migrations)).walk_revisions(), range(6), strict=False)
    ]
    engine = create_engine(f"sqlite:///{database}")
    Base.metadata.create_all(engine)
    engine.dispose()
    command.upgrade(config, older)
    return database


def test_an_older_mlflows_database_is_left_alone_and_opens_once_it_was_upgraded(
    older_database: Path, tmp_path: Path
) -> None:
    database = Path(shutil.copy(older_database, tmp_path / "mlflow.db"))
    before = database.read_bytes()
    ((older,),) = execute(database, "SELECT version_num FROM alembic_version")
    with pytest.raises(StoreSchemaMismatch) as mismatch:
        make(database)
    assert database.read_bytes() == before
    problem, cure = mismatch.value.problem, mismatch.value.cure
    assert str(older) in problem
    assert str(mismatch.value.details["expected"]) in problem
    assert "back the file up" in cure
    upgrade = cure.partition("mlflow db upgrade ")[2]
    subprocess.run(
        [sys.executable, "-m", "mlflow", "db", "upgrade", upgrade],
        check=True,
        capture_output=True,
        cwd=tmp_path,
    )
    make(database)
