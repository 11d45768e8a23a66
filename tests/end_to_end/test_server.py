"""A sweep and its model through `mlflow server`, as people start it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from servers.mlflow_server import Server, command_line
from studbook import Studbook, maximize
from studbook.application.train_context import TrainContext
from studbook.domain.run import RunStatus
from studbook.ports.run_query import ANY_STATUS, RunQuery


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "server"
    folder.mkdir()
    with command_line(folder) as running:
        yield running


def train(context: TrainContext) -> Mapping[str, float]:
    (context.output_dir / "config.json").write_text("{}")
    (context.output_dir / "model.bin").write_bytes(b"weights")
    context.log_metrics({"loss": 0.5}, step=1)
    value = context.params["c"]
    assert isinstance(value, float)
    return {"f1": value}


def test_a_sweep_is_tracked_and_its_model_handed_over(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Studbook.open(server.uri, home=tmp_path / "home", experiment="horses", delivery="inline") as book:
        sweep = book.sweep(
            "digits",
            train,
            space={"c": {"type": "float", "low": 0.1, "high": 0.9}},
            objective=maximize("f1"),
            trials=3,
            data=b"digits",
        )
        refit = sweep.refit()
        acquired = book.acquire(refit, "checkpoint", to=tmp_path / "model")
        runs = list(book.runs(RunQuery(("horses",), ANY_STATUS)))
        page = book.container.tracking_store().run_url(runs[0])
    assert (acquired.path / "model.bin").read_bytes() == b"weights"
    assert {run.status for run in runs} == {RunStatus.FINISHED}
    stages = sorted(run.tags["studbook.stage"] for run in runs)
    assert stages == ["hpo_refit", "hpo_sweep", "hpo_trial", "hpo_trial", "hpo_trial"]
    assert page is not None
    assert page.startswith(server.uri)
    assert list(server.artifacts.rglob("model.bin"))
