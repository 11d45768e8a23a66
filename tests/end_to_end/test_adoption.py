"""A program that another one has opened a run for."""

from __future__ import annotations

from pathlib import Path

import pytest

from studbook import Studbook


def test_the_run_that_mlflow_names_is_the_programs_first_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client = MlflowClient(uri)
    opened = client.create_run(client.create_experiment("jobs"), run_name="job 7")
    monkeypatch.setenv("MLFLOW_RUN_ID", opened.info.run_id)
    with Studbook.open(uri, home=tmp_path / "home", delivery="inline", experiment="jobs") as book:
        with book.run("mine") as run, book.run("child", parent=run):
            run.log_metrics({"loss": 0.5})
        found = book.find(run.key)
    assert run.backend_id() == opened.info.run_id == found.run_id
    runs = {each.info.run_name: each for each in client.search_runs([opened.info.experiment_id])}
    assert set(runs) == {"job 7", "child"}
    assert (runs["job 7"].info.status, runs["job 7"].data.metrics) == ("FINISHED", {"loss": 0.5})
    assert runs["job 7"].data.tags["studbook.adopted"] == "true"
    assert runs["child"].data.tags["mlflow.parentRunId"] == opened.info.run_id
