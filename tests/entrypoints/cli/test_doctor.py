"""`studbook doctor` as people start it: on projects that are new, at work, broken, or without their server."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from json import loads
from pathlib import Path
from typing import Any

import pytest

from faults.down import no_server
from faults.folder_state import state_of
from faults.http_faults import Answer, FaultyProxy
from studbook import Studbook

_HOME_ROWS = ["versions", "target", "home", "space", "delivery", "writers", "journal"]


@dataclass(frozen=True)
class Told:
    """What one call gave."""

    code: int
    out: str
    err: str

    @property
    def checks(self) -> dict[str, Any]:
        """The document's checks, by name."""
        return {row["check"]: row for row in loads(self.out)["checks"]}


def doctor(folder: Path, *words: str, uri: str | None = None, **variables: str) -> Told:
    """One call, in the folder."""
    options = [] if uri is None else ["--tracking-uri", uri]
    done = subprocess.run(
        [sys.executable, "-m", "studbook.entrypoints.cli.main", *options, "doctor", *words],
        cwd=folder,
        env={"PATH": "", "PYTHONPATH": ":".join(sys.path), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    return Told(done.returncode, done.stdout, done.stderr)


def problems(told: Told) -> list[str]:
    return [name for name, row in told.checks.items() if row["outcome"] == "problem"]


def test_a_new_project_is_well_and_stays_as_it_is(tmp_path: Path) -> None:
    told = doctor(tmp_path, "--json")
    assert (told.code, told.err, problems(told)) == (0, "", [])
    assert loads(told.out)["needs_attention"] is False
    assert list(told.checks)[:7] == _HOME_ROWS
    assert told.checks["target"]["found"].endswith("from default: mlflow.db beside the home")
    assert state_of(tmp_path)() == {}


def test_people_get_a_table(tmp_path: Path) -> None:
    told = doctor(tmp_path, uri="memory://")
    assert told.code == 0
    head, _rule, *lines = told.out.splitlines()
    assert head.split() == ["check", "outcome", "found"]
    assert [line.split()[0] for line in lines[:7]] == _HOME_ROWS


def test_a_probe_run_shows_that_the_store_takes_writes(tmp_path: Path) -> None:
    told = doctor(tmp_path, "--write", "--json")
    assert told.code == 0, told.out
    assert "put in the bin" in told.checks["write"]["found"]
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        assert database.execute("SELECT lifecycle_stage FROM runs").fetchall() == [("deleted",)]
    again = doctor(tmp_path, "--json")
    assert (again.code, "revision" in again.checks["schema"]["found"]) == (0, True)


def test_what_waits_in_the_home_is_told(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    with Studbook.open(uri, home=tmp_path / ".studbook", delivery="manual") as book, book.run("mine"):
        pass
    told = doctor(tmp_path, "--json")
    assert (told.code, problems(told)) == (4, ["delivery"])
    assert "2 pending" in told.checks["delivery"]["found"]
    assert "studbook sync" in told.checks["delivery"]["cure"]


def test_a_half_made_database_is_told_and_hides_nothing_of_the_home(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        database.execute("CREATE TABLE runs (run_uuid)")
    told = doctor(tmp_path, "--write", "--json")
    assert (told.code, problems(told)) == (4, ["schema"])
    assert "half-made" in told.checks["schema"]["found"]
    assert told.checks["write"]["found"].startswith("not looked at")


def test_a_server_that_is_down_is_told_and_hides_nothing_of_the_home(tmp_path: Path) -> None:
    with no_server() as uri:
        told = doctor(tmp_path, "--json", uri=uri)
    assert (told.code, problems(told)) == (4, ["reachability"])
    assert set(_HOME_ROWS) < set(told.checks)


@pytest.mark.parametrize("words", [["--json"], []])
def test_refused_credentials_are_told_without_them(tmp_path: Path, words: list[str]) -> None:
    with FaultyProxy("http://127.0.0.1:9") as proxy:
        proxy.on("", Answer(401), times=None)
        uri = proxy.uri.replace("://", "://clever-hans:hunter2@")
        told = doctor(tmp_path, *words, uri=uri, MLFLOW_TRACKING_TOKEN="opensesame")  # noqa: S106
    assert told.code == 4
    assert "refuses these credentials" in told.out
    assert not any(secret in told.out + told.err for secret in ("clever-hans", "hunter2", "opensesame"))


def test_a_target_that_cannot_be_used_is_a_row(tmp_path: Path) -> None:
    told = doctor(tmp_path, "--json", uri="mysql://u:hunter2@host/db")
    assert (told.code, problems(told)) == (4, ["backend"])
    assert "hunter2" not in told.out


def test_a_home_that_is_a_file_is_told_and_hides_nothing_of_the_backend(tmp_path: Path) -> None:
    (tmp_path / ".studbook").touch()
    told = doctor(tmp_path, "--json")
    assert (told.code, problems(told)) == (4, ["home"])
    assert told.checks["delivery"]["found"].startswith("not looked at")
    assert told.checks["database"]["outcome"] == "ok"
