"""Where a run is looked at: pages of a server, without its credentials, and none where there is no server."""

from __future__ import annotations

import io
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from rich.console import Console

from end_to_end.demo_run import STUDBOOK, DemoRun
from servers.mlflow_server import Server
from studbook import Studbook, maximize
from studbook.application.select import Decision
from studbook.application.train_context import TrainContext
from studbook.domain.run_view import RunView
from studbook.entrypoints.cli.lineage import tree_text
from studbook.entrypoints.sweep_handle import Sweep

SPACE = {"c": {"type": "float", "low": 0.1, "high": 0.9}}
TRAINING = """
def train(context):
    (context.output_dir / "weights.joblib").write_bytes(b"weights")
    return {"f1": context.params["c"]}
"""
STUDY: dict[str, Any] = {
    "name": "paged",
    "train": "training:train",
    "space": SPACE,
    "objective": {"metric": "f1", "direction": "maximize"},
    "trials": 2,
    "refit": True,
}


def train(context: TrainContext) -> dict[str, float]:
    (context.output_dir / "config.json").write_text("{}")
    (context.output_dir / "model.bin").write_bytes(b"weights")
    value = context.params["c"]
    assert isinstance(value, float)
    return {"f1": value}


def lived(book: Studbook) -> tuple[Sweep, Decision]:
    sweep = book.sweep("paged", train, space=SPACE, objective=maximize("f1"), trials=2, data=b"x")
    sweep.refit()
    return sweep, book.select("best_metric")


@pytest.fixture
def guarded(server: Server) -> str:
    """The server's address with a name and a password in it, which it does not ask for."""
    return server.uri.replace("://", "://me:hush@")


@pytest.fixture
def book(guarded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studbook]:
    monkeypatch.chdir(tmp_path)
    with Studbook.open(guarded, home=tmp_path / "home", experiment=tmp_path.name, delivery="inline") as book:
        yield book


def page_of(server: Server, view: RunView) -> str:
    with urlopen(f"{server.uri}/api/2.0/mlflow/runs/get?run_id={view.run_id}") as answer:  # noqa: S310
        experiment = json.load(answer)["run"]["info"]["experiment_id"]
    return f"{server.uri}/#/experiments/{experiment}/runs/{view.run_id}"


def test_every_answer_leads_to_its_runs_page(server: Server, book: Studbook) -> None:
    with book.run("mine") as run:
        assert run.url() == page_of(server, book.find(run.key))
    sweep, decision = lived(book)
    again = book.select("best_metric")
    assert again.reused
    for key, url in ((sweep.run_key, sweep.url()), (decision.ref, decision.url()), (again.ref, again.url())):
        view = book.find(key)
        assert url == view.url == page_of(server, view)
    assert book.select("best_metric", dry_run=True).url() is None
    known = [node for node in book.lineage(decision).walk() if isinstance(node.run, RunView)]
    assert len(known) > 2
    for node in known:
        assert isinstance(node.run, RunView)
        assert node.url == page_of(server, node.run)


def test_a_lineage_leads_to_pages_on_a_terminal_and_is_plain_in_a_pipe(book: Studbook) -> None:
    _, decision = lived(book)
    tree = book.lineage(decision)
    shown = {terminal: io.StringIO() for terminal in (True, False)}
    for terminal, out in shown.items():
        console = Console(file=out, force_terminal=terminal, width=10_000, legacy_windows=False)
        console.print(tree_text(tree))
    assert shown[False].getvalue().rstrip("\n") == str(tree)
    assert all(node.url and node.url in shown[True].getvalue() for node in tree.walk())


def test_the_verbs_answer_with_pages_and_without_the_password(
    server: Server, guarded: str, tmp_path: Path
) -> None:
    (tmp_path / "training.py").write_text(TRAINING)
    (tmp_path / "study.yaml").write_text(json.dumps(STUDY))

    def verb(*arguments: str) -> Any:
        call = [str(STUDBOOK), "--tracking-uri", guarded, "--home", str(tmp_path / "home"), "--json"]
        done = subprocess.run(
            [*call, *arguments],
            cwd=tmp_path,
            env={**os.environ, "STUDBOOK_PROJECT": "verbs", "STUDBOOK_DELIVERY__MODE": "inline"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "hush" not in done.stdout + done.stderr
        return json.loads(done.stdout)

    swept = verb("sweep", "study.yaml")
    selected = verb("select", "--policy", "best_metric")
    tree = verb("lineage", selected["ref"])
    assert tree["url"] == selected["url"]
    for url in (swept["url"], selected["url"], *(child["url"] for child in tree["children"])):
        assert url.startswith(f"{server.uri}/#/experiments/")


def test_a_database_has_no_pages_and_none_is_invented(demo: DemoRun) -> None:
    with Studbook.open(demo.uri, home=demo.folder / ".studbook", delivery="inline") as book:
        decision = book.find(demo.document["selection"]["ref"])
        assert (decision.url, book.lineage(decision).url) == (None, None)
    urls = [demo.document["selection"]["url"], demo.document["final_training"]["url"]]
    for family in demo.document["families"]:
        urls += [family["sweep_url"], family["benchmark_url"]]
    assert set(urls) == {None}


def test_whoever_looks_for_a_page_of_a_database_is_told_how_to_get_one(demo: DemoRun) -> None:
    shown = subprocess.run(
        [str(STUDBOOK), "demo", "--trials", "8"],
        cwd=demo.folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert shown.count("mlflow ui --backend-store-uri sqlite:///mlflow.db") == 1
