"""Workers on hosts of their own, each with a home, log at once to one server over PostgreSQL and S3: one is killed,
one has no network, and in the end everything is there, once.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from end_to_end.demo_run import STUDBOOK
from end_to_end.worker_on_a_host import ARTIFACT, EXPERIMENT, LOSSES, NESTED, content
from servers import s3
from servers.mlflow_server import Server, bare_app_on
from studbook import Studbook
from studbook.adapters.mlflow.sql_drivers import with_driver
from studbook.domain.run import RunStatus
from studbook.ports.run_query import ANY_STATUS, RunQuery

WORKER = Path(__file__).with_name("worker_on_a_host.py")
KILLED, OFFLINE = "node-3", "node-4"
HOSTS = ("node-1", "node-2", KILLED, OFFLINE)
ROOT = "artifacts"


@pytest.fixture
def bucket() -> Iterator[str]:
    with s3.bucket() as address:
        yield address


@pytest.fixture
def server(bucket: str, new_database: Callable[[], str], tmp_path: Path) -> Iterator[Server]:
    """A server whose runs are in PostgreSQL and whose files are in a bucket."""
    folder = tmp_path / "server"
    folder.mkdir()
    access = {**s3.CREDENTIALS, "MLFLOW_S3_ENDPOINT_URL": bucket}
    database = with_driver(new_database())
    with bare_app_on(database, folder, destination=f"s3://{s3.BUCKET}/{ROOT}", environment=access) as running:
        yield running


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker's process, and its home."""

    process: subprocess.Popen[str]
    home: Path

    def said(self, word: str) -> None:
        """Wait until it says this."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == word

    def go_on(self) -> None:
        """Tell it to."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()


@contextmanager
def working(host: str, uri: str, folder: Path) -> Iterator[Worker]:
    scratch, home = folder / host, folder / host / "home"
    scratch.mkdir()
    environment = {
        **os.environ,
        "STUDBOOK_TRACKING__URI": uri,
        "STUDBOOK_DELIVERY__MODE": "manual" if host == OFFLINE else "inline",
        "STUDBOOK_LEASES__INTERVAL": "0.2s",
    }
    command = [sys.executable, str(WORKER), host, str(home), str(scratch)]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Worker(process, home)
        finally:
            process.kill()


def studbook(uri: str, home: Path, *verb: str, **settings: str) -> dict[str, Any]:
    """What a command says that is given on this host, to which none of the workers belongs."""
    done = subprocess.run(
        [str(STUDBOOK), "--home", str(home), *verb, "--json"],
        env={**os.environ, "STUDBOOK_TRACKING__URI": uri, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def copied(home: Path, copy: Path) -> None:
    """As `rsync -a --exclude /delivery/` does, which minds no drafts that vanish meanwhile."""
    left_out = shutil.ignore_patterns("delivery", "*.part")
    shutil.copytree(home, copy, dirs_exist_ok=True, ignore=left_out)


def test_what_many_hosts_log_is_in_the_server_once(server: Server, bucket: str, tmp_path: Path) -> None:
    copy = tmp_path / "copied"
    with ExitStack() as stack:
        workers = {host: stack.enter_context(working(host, server.uri, tmp_path)) for host in HOSTS}
        for worker in workers.values():
            worker.said("open")
        for worker in workers.values():
            worker.go_on()
        for worker in workers.values():
            worker.said("logged")
        lost, away = workers[KILLED], workers[OFFLINE]

        alive = studbook(server.uri, lost.home, "reap", STUDBOOK_LEASES__TTL="60s")
        assert alive["ended"] == []
        assert {each["why"] for each in alive["left_alone"]} == {"alive"}
        lost.process.kill()
        lost.process.wait()
        reaped = studbook(server.uri, lost.home, "reap", STUDBOOK_LEASES__TTL="1s")
        assert len(reaped["ended"]) == 2

        copied(away.home, copy)
        first = studbook(server.uri, copy, "sync")["delivered"]
        assert first > 0
        left = studbook(server.uri, copy, "reap")
        assert {each["why"] for each in left["left_alone"]} == {"copied_home"}
        living = [worker for worker in workers.values() if worker is not lost]
        for worker in living:
            worker.go_on()
        for worker in living:
            assert worker.process.wait() == 0
    copied(away.home, copy)
    assert 0 < studbook(server.uri, copy, "sync")["delivered"] < first

    runs = stored(server.uri)
    assert Counter(run.info.run_name for run in runs) == Counter(
        name for host in HOSTS for name in (host, *(f"{host}/{nested}" for nested in NESTED))
    )
    check_statuses(runs)
    check_nesting(runs)
    check_metrics(MlflowClient(server.uri), runs)
    check_bucket(bucket, runs)
    check_files(server.uri, tmp_path / "reader")


def stored(uri: str) -> list[Run]:
    """All runs of the experiment, through MLflow's own client."""
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id], max_results=1000))


def is_nested(run: Run) -> bool:
    return "/" in str(run.info.run_name)


def check_statuses(runs: list[Run]) -> None:
    ended = {run.info.run_name: (run.info.status, run.data.tags.get("studbook.end_reason")) for run in runs}
    lost = {KILLED, f"{KILLED}/{NESTED[-1]}"}
    assert ended == {name: ("KILLED", "lost") if name in lost else ("FINISHED", None) for name in ended}


def check_nesting(runs: list[Run]) -> None:
    names = {run.info.run_id: str(run.info.run_name) for run in runs}
    for run in runs:
        parent = run.data.tags.get("mlflow.parentRunId")
        assert (None if parent is None else names[parent]) == (
            names[run.info.run_id].partition("/")[0] if is_nested(run) else None
        )


def check_metrics(client: MlflowClient, runs: list[Run]) -> None:
    for run in filter(is_nested, runs):
        history = client.get_metric_history(run.info.run_id, "loss")
        assert sorted((point.step, point.value) for point in history) == list(enumerate(LOSSES))


def check_bucket(address: str, runs: list[Run]) -> None:
    """Each nested run has its file once, and no other run has one."""
    pages = s3.client(address).get_paginator("list_objects_v2").paginate(Bucket=s3.BUCKET, Prefix=ROOT)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    files = [key for key in keys if f"/artifacts/{ARTIFACT}" in key]
    assert Counter(key.split("/")[2] for key in files) == Counter(
        run.info.run_id for run in filter(is_nested, runs)
    )


def check_files(uri: str, home: Path) -> None:
    """Whoever reads on yet another host gets each file: of runs that ended well verified, of the others as it is."""
    with Studbook.open(uri, home=home, experiment=EXPERIMENT, delivery="manual") as book:
        files = book.container.artifact_store()
        for run in book.runs(RunQuery((EXPERIMENT,), ANY_STATUS)):
            host, _, nested = run.name.partition("/")
            if nested and run.status is RunStatus.FINISHED:
                acquired = book.acquire(run.run_id, "any", name=ARTIFACT)
                assert acquired.path.read_text() == content(host, nested)
            elif nested:
                assert files.read(run.run_id, ARTIFACT).decode() == content(host, nested)
