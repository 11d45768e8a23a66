"""A program is killed, and its home is lost with its machine: its run in the store is ended from elsewhere."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from mlflow import MlflowClient

_KILLED = """
import os, signal, sys
from studbook import Studbook
book = Studbook.open(sys.argv[1], home=sys.argv[2], delivery="inline")
run = book.run("mine")
run.log_metrics({"loss": 0.5})
print(run.backend_id(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def _reap(uri: str, home: Path, older_than: str) -> list[dict[str, str]]:
    command = [
        sys.executable,
        "-m",
        "studbook.entrypoints.cli.main",
        "--tracking-uri",
        uri,
        "--home",
        str(home),
    ]
    done = subprocess.run(
        [*command, "reap", "--older-than", older_than, "--json"], capture_output=True, text=True, check=True
    )
    ended: list[dict[str, str]] = json.loads(done.stdout)["ended"]
    return ended


def test_a_run_of_a_lost_home_ends_where_somebody_says_how_old_is_dead(tmp_path: Path) -> None:
    uri, lost = f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "lost"
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, uri, str(lost)], capture_output=True, text=True, check=False
    )
    run_id = killed.stdout.strip()
    shutil.rmtree(lost)
    assert _reap(uri, tmp_path / "other", "1d") == []
    assert MlflowClient(uri).get_run(run_id).info.status == "RUNNING"
    (ended,) = _reap(uri, tmp_path / "other", "0")
    stored = MlflowClient(uri).get_run(run_id)
    assert (stored.info.status, stored.data.tags["studbook.end_reason"]) == ("KILLED", "lost")
    assert stored.data.tags["studbook.run_key"] == ended["run"]
    assert _reap(uri, tmp_path / "other", "0") == []
