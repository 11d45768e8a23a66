"""A real PostgreSQL server: databases that are well, empty, older, half-made, locked, of others."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import psycopg2
import pytest

from faults.down import no_server
from servers.postgres import Postgres, name_of
from studbook.adapters.mlflow.backend import Backend
from studbook.adapters.mlflow.checkup import mlflow_checkup
from studbook.adapters.mlflow.database_checkup import DatabaseCheckup
from studbook.adapters.mlflow.database_start import _LOCK
from studbook.application.diagnosis import Diagnose, Row
from studbook.ports.checkup import USABLE, Checkup, Outcome
from studbook.ports.contract.checkup import CheckupContract

_THOUSAND_RUNS = """
INSERT INTO runs (run_uuid, experiment_id, artifact_uri) SELECT i, 0, '' FROM generate_series(1, 1000) AS i
"""
_numbers = count()


def looked(uri: str, root: Path) -> dict[str, Row]:
    found = Diagnose([("backend", lambda: mlflow_checkup(uri, str(root)))])()
    return {row.check: row for row in found.rows}


@pytest.fixture
def reader(database_server: Postgres, database: str) -> str:
    """The URI of the same database for a user who may read only."""
    name = f"reader_{next(_numbers)}"
    database_server.execute(f"CREATE USER {name} PASSWORD 'hunter2'")
    database_server.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}", name_of(database))
    return database.replace("//tests@", f"//{name}:wrong@")


class TestACompleteDatabase(CheckupContract):
    @pytest.fixture
    def uri(self, database: str) -> str:
        return database

    @pytest.fixture
    def checkup(self, uri: str, tmp_path: Path) -> Checkup:
        return mlflow_checkup(uri, str(tmp_path))

    @pytest.fixture
    def seen(self, uri: str, database_server: Postgres) -> Callable[[], object]:
        tables = "SELECT relname, n_tup_ins, n_tup_upd FROM pg_stat_user_tables ORDER BY relname"
        return lambda: database_server.execute(tables, name_of(uri))


class TestAnEmptyDatabase(TestACompleteDatabase):
    @pytest.fixture
    def uri(self, empty: str) -> str:
        return empty


def test_a_complete_database_is_well(database: str, tmp_path: Path) -> None:
    rows = looked(database, tmp_path)
    assert {row.outcome for row in rows.values()} == {Outcome.OK}, rows
    assert "that of the installed MLflow" in rows["schema"].found
    assert rows["database"].found == "the tables can be written"
    assert rows["first start"].found == "done"
    assert set(rows) & set(USABLE) == {"reachability", "credentials", "schema", "database", "workspaces"}


def test_a_database_without_tables_is_well(empty: str, tmp_path: Path) -> None:
    rows = looked(empty, tmp_path)
    assert {row.outcome for row in rows.values()} == {Outcome.OK}, rows
    assert (rows["schema"].found, rows["first start"].found) == ("to be made", "to come")


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE alembic_version SET version_num = 'old'", "revision old, and mlflow"),
        ("DELETE FROM alembic_version", "half-made"),
    ],
)
def test_another_revision_is_a_problem(
    database_server: Postgres, database: str, tmp_path: Path, statement: str, words: str
) -> None:
    database_server.execute(statement, name_of(database))
    rows = looked(database, tmp_path)
    assert (rows["schema"].outcome, words in rows["schema"].found) == (Outcome.PROBLEM, True)
    assert "because of the problem with schema" in rows["statistics"].found


def test_a_server_that_is_down_is_a_problem_of_one_row(tmp_path: Path) -> None:
    with no_server() as uri:
        rows = looked(f"postgresql://me:hunter2@{uri.removeprefix('http://')}/mlflow", tmp_path)
    assert [name for name, row in rows.items() if row.outcome is Outcome.PROBLEM] == ["reachability"]
    assert "hunter2" not in repr(rows)


def test_a_database_that_is_not_there_is_a_problem(database_server: Postgres, tmp_path: Path) -> None:
    row = looked(database_server.uri("nowhere"), tmp_path)["reachability"]
    assert (row.outcome, "CREATE DATABASE" in str(row.cure)) == (Outcome.PROBLEM, True)


def test_refused_credentials_are_told_without_them(
    database_server: Postgres, reader: str, tmp_path: Path
) -> None:
    user = reader.partition("//")[2].partition(":")[0]
    with database_server.asking_for_passwords(user):
        rows = looked(reader, tmp_path)
    assert rows["reachability"].outcome is Outcome.OK
    assert rows["credentials"].outcome is Outcome.PROBLEM
    assert "wrong" not in repr(rows)


def test_a_user_who_may_only_read_is_told(reader: str, tmp_path: Path) -> None:
    row = looked(reader, tmp_path)["database"]
    assert row.outcome is Outcome.PROBLEM
    assert "may not write the tables experiments, runs," in row.found


def test_a_user_who_may_make_no_tables_is_told(
    database_server: Postgres, empty: str, reader: str, tmp_path: Path
) -> None:
    database_server.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC", name_of(empty))
    uri = f"{reader.rpartition('/')[0]}/{name_of(empty)}"
    row = looked(uri, tmp_path)["database"]
    assert (row.outcome, "to be made, and this user may not" in row.found) == (Outcome.PROBLEM, True)


def test_who_makes_the_tables_now_is_seen(empty: str, tmp_path: Path) -> None:
    with closing(psycopg2.connect(empty)) as holder, holder.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        row = looked(empty, tmp_path)["first start"]
    assert (row.outcome, "making the tables now" in row.found) == (Outcome.WARNING, True)


def test_missing_statistics_are_told_with_what_to_type(
    database_server: Postgres, database: str, tmp_path: Path
) -> None:
    database_server.execute("ALTER TABLE runs SET (autovacuum_enabled = false)", name_of(database))
    database_server.execute(_THOUSAND_RUNS, name_of(database))
    row = looked(database, tmp_path)["statistics"]
    assert (row.outcome, "1000 runs" in row.found) == (Outcome.WARNING, True)
    assert "ANALYZE" in str(row.cure)
    database_server.execute("ANALYZE", name_of(database))
    assert looked(database, tmp_path)["statistics"].outcome is Outcome.OK


def test_other_workspaces_are_a_problem(database_server: Postgres, database: str, tmp_path: Path) -> None:
    database_server.execute("UPDATE experiments SET workspace = 'team-a'", name_of(database))
    row = looked(database, tmp_path)["workspaces"]
    assert (row.outcome, "team-a" in row.found) == (Outcome.PROBLEM, True)


def test_a_wrong_clock_is_told(database: str, tmp_path: Path) -> None:
    late = datetime.now(UTC) + timedelta(hours=1)
    checkup = DatabaseCheckup(Backend.of(database, str(tmp_path)), now=lambda: late)
    (clock,) = [check for check in checkup.checks() if check.name == "clock"]
    finding = clock.look()
    assert (finding.outcome, "ahead of the server's" in finding.found) == (Outcome.WARNING, True)


def test_artifacts_too_far_away_or_too_deep_are_a_problem(
    database_server: Postgres, database: str, tmp_path: Path
) -> None:
    rows = looked(database, tmp_path / "missing" / "root")
    assert "does not see" in rows["artifact root"].found
    rows = looked(database, tmp_path / ("x" * 200))
    assert (rows["artifact length"].outcome, rows["artifact root"].outcome) == (Outcome.PROBLEM, Outcome.OK)
    database_server.execute("UPDATE experiments SET artifact_location = '/elsewhere/0'", name_of(database))
    assert "/elsewhere/0: a folder" in looked(database, tmp_path)["artifact root"].found
