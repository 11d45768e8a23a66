"""SQLite databases of MLflow: well, absent, older, half-made, of other workspaces, in other hands."""

from __future__ import annotations

import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock

from faults.down import locked
from faults.folder_state import state_of
from studbook.adapters.mlflow.checkup import mlflow_checkup
from studbook.application.diagnosis import Diagnose, Row
from studbook.ports.checkup import USABLE, Checkup, Outcome
from studbook.ports.contract.checkup import CheckupContract

_THOUSAND_RUNS = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
INSERT INTO runs (run_uuid, experiment_id) SELECT i, 0 FROM n
"""


@pytest.fixture
def database(empty_database: Path, tmp_path: Path) -> Path:
    """A complete database, its artifacts in a folder of its own."""
    made = Path(shutil.copy(empty_database, tmp_path / "mlflow.db"))
    place_artifacts(made, tmp_path / "mlartifacts" / "0")
    return made


def execute(database: Path, *statements: str) -> None:
    """The statements, on a connection of their own."""
    with closing(sqlite3.connect(database)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def place_artifacts(database: Path, folder: Path) -> None:
    """Every experiment keeps its artifacts there."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE experiments SET artifact_location = ?", (str(folder),))


def checkup_of(database: Path) -> Checkup:
    return mlflow_checkup(f"sqlite:///{database}")


def looked(database: Path) -> dict[str, Row]:
    found = Diagnose([("backend", lambda: checkup_of(database))])()
    return {row.check: row for row in found.rows}


class TestACompleteDatabase(CheckupContract):
    @pytest.fixture
    def checkup(self, database: Path) -> Checkup:
        return checkup_of(database)

    @pytest.fixture
    def seen(self, tmp_path: Path) -> Callable[[], object]:
        return state_of(tmp_path)


class TestNoDatabase(TestACompleteDatabase):
    @pytest.fixture
    def checkup(self, tmp_path: Path) -> Checkup:
        return checkup_of(tmp_path / "deep" / "mlflow.db")


class TestAHalfMadeDatabase(TestACompleteDatabase):
    @pytest.fixture
    def checkup(self, database: Path) -> Checkup:
        execute(database, "DELETE FROM alembic_version")
        return checkup_of(database)


def test_a_complete_database_is_well(database: Path) -> None:
    rows = looked(database)
    assert {row.outcome for row in rows.values()} == {Outcome.OK}, rows
    assert "that of the installed MLflow" in rows["schema"].found
    assert rows["first start"].found == "done"
    assert set(rows) & set(USABLE) == {"database", "schema", "workspaces"}


def test_a_database_that_is_to_come_is_well(tmp_path: Path) -> None:
    rows = looked(tmp_path / "deep" / "mlflow.db")
    assert {row.outcome for row in rows.values()} == {Outcome.OK}, rows
    assert "made at first use" in rows["database"].found
    (tmp_path / "empty.db").touch()
    assert looked(tmp_path / "empty.db")["schema"].found == "to be made"


@pytest.mark.parametrize(
    ("statement", "words", "cure"),
    [
        ("UPDATE alembic_version SET version_num = 'old'", "revision old, and mlflow", "mlflow db upgrade"),
        ("DELETE FROM alembic_version", "half-made", "move the file away"),
    ],
)
def test_another_revision_is_a_problem_and_what_builds_on_it_is_not_looked_at(
    database: Path, statement: str, words: str, cure: str
) -> None:
    execute(database, statement)
    rows = looked(database)
    assert (rows["schema"].outcome, words in rows["schema"].found) == (Outcome.PROBLEM, True)
    assert cure in str(rows["schema"].cure)
    assert "because of the problem with schema" in rows["statistics"].found
    assert rows["file system"].outcome is Outcome.OK


def test_what_is_no_database_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("no database, but long enough to be read as the head of one" * 3)
    row = looked(tmp_path / "mlflow.db")["schema"]
    assert (row.outcome, "no usable SQLite database" in row.found) == (Outcome.PROBLEM, True)


def test_a_folder_that_cannot_be_written_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    rows = looked(tmp_path / "file" / "mlflow.db")
    assert (rows["database"].outcome, "cannot be written" in rows["database"].found) == (
        Outcome.PROBLEM,
        True,
    )
    assert "--tracking-uri" in str(rows["database"].cure)


def test_a_database_in_other_hands_is_told(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studbook.adapters.mlflow.sqlite_checkup._BUSY_S", 0.01)
    with locked(database):
        row = looked(database)["schema"]
    assert (row.outcome, "locked" in row.found) == (Outcome.PROBLEM, True)


def test_other_workspaces_are_a_problem(database: Path) -> None:
    execute(database, "UPDATE experiments SET workspace = 'team-a'")
    row = looked(database)["workspaces"]
    assert (row.outcome, "team-a" in row.found) == (Outcome.PROBLEM, True)


def test_missing_statistics_are_told_with_what_to_type(database: Path) -> None:
    assert looked(database)["statistics"].found == "not needed for so few runs (0)"
    execute(database, _THOUSAND_RUNS)
    row = looked(database)["statistics"]
    assert (row.outcome, "1000 runs" in row.found) == (Outcome.WARNING, True)
    command = shlex.split(str(row.cure))
    subprocess.run([sys.executable, *command[1:]], check=True)
    assert looked(database)["statistics"] == Row("statistics", Outcome.OK, "there", None)


def test_who_makes_the_database_and_who_died_of_it_are_told(tmp_path: Path, database: Path) -> None:
    new = tmp_path / "new.db"
    with FileLock(f"{new}.init.lock"):
        row = looked(new)["first start"]
    assert (row.outcome, "making the database now" in row.found) == (Outcome.WARNING, True)
    database.with_name("mlflow.db.init-77").touch()
    row = looked(database)["first start"]
    assert (row.outcome, "mlflow.db.init-77" in row.found) == (Outcome.WARNING, True)


def test_a_database_on_another_machine_is_a_problem(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studbook.adapters.mlflow.sqlite_checkup.file_system_of", lambda _path: "nfs4")
    row = looked(database)["file system"]
    assert (row.outcome, "nfs4" in row.found) == (Outcome.PROBLEM, True)


def test_an_artifact_root_that_cannot_be_written_is_a_problem(database: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    place_artifacts(database, tmp_path / "file" / "0")
    row = looked(database)["artifact root"]
    assert (row.outcome, f"{tmp_path}/file/0" in row.found) == (Outcome.PROBLEM, True)
