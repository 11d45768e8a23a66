"""A training in a job of a workspace: the job's run is its own, and the job's token all it needs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from mlflow import MlflowClient

from azureml_stand_in.in_a_job import in_a_job
from azureml_stand_in.job_tokens import Job
from azureml_stand_in.workspace import SCOPE, Workspace
from servers.mlflow_server import Server
from studbook import Studbook, command_training, float_range, maximize

_CHILD = """
import studbook
with studbook.child() as context:
    context.log_metrics({"loss": 0.25})
    (context.output_dir / "weights.bin").write_text("trained")
    context.finish({"score": 0.5})
"""


@pytest.fixture
def job(workspace: Workspace, server: Server) -> Iterator[Job]:
    with in_a_job(workspace, server) as opened:
        yield opened


@pytest.fixture
def behind(server: Server) -> MlflowClient:
    """What is behind the workspace."""
    return MlflowClient(server.uri, registry_uri=server.uri)


def ends(workspace: Workspace) -> list[str]:
    """The runs that were ended."""
    return [json.loads(one.body)["run_id"] for one in workspace.requests("/runs/update")]


def written(home: Path) -> str:
    return "".join(each.read_text(errors="replace") for each in home.rglob("*") if each.is_file())


@pytest.mark.parametrize("delivery", ["inline", "sidecar"])
def test_its_run_is_adopted_with_the_children_below_it_and_its_end_is_the_services(
    tmp_path: Path,
    workspace: Workspace,
    job: Job,
    behind: MlflowClient,
    delivery: Literal["inline", "sidecar"],
) -> None:
    with Studbook.open(home=tmp_path / "home", delivery=delivery) as book:
        with book.run("mine") as run:
            run.log_metrics({"loss": 0.5})
            with book.run("child", parent=run) as child:
                child.log_metrics({"loss": 0.25})
        book.flush(timeout=120)
        assert run.backend_id() == job.run_id
        child_id = child.backend_id()
    mine, below = behind.get_run(job.run_id), behind.get_run(child_id)
    assert (mine.info.status, mine.info.run_name, mine.data.metrics) == ("RUNNING", "job 7", {"loss": 0.5})
    assert mine.data.tags["studbook.ended_by"] == "service"
    assert below.data.tags["mlflow.parentRunId"] == job.run_id
    assert (below.info.experiment_id, below.info.status) == (mine.info.experiment_id, "FINISHED")
    assert ends(workspace) == [child_id]
    assert not workspace.requests("/oauth2/")
    assert job.variables["MLFLOW_TRACKING_TOKEN"] not in written(tmp_path / "home")


def test_a_sweep_is_the_jobs_run_and_its_trials_train_and_are_found_below_it(
    tmp_path: Path, workspace: Workspace, job: Job, behind: MlflowClient
) -> None:
    train = command_training([sys.executable, "-c", _CHILD], timeout_s=120)
    with Studbook.open(home=tmp_path / "home", delivery="inline") as book:
        sweep = book.sweep(
            "lines", train, space={"slope": float_range(1.0, 4.0)}, objective=maximize("score"), trials=1
        )
        refitted = sweep.refit()
        stages = {str(run.stage): run.run_id for run in book.container.catalog().find_all()}
    experiment_id = behind.get_run(job.run_id).info.experiment_id
    below = {run.info.run_id: run for run in behind.search_runs([experiment_id])}
    trial = below[stages["hpo_trial"]]
    assert refitted.refit is not None
    assert stages["hpo_sweep"] == job.run_id
    assert trial.data.tags["mlflow.parentRunId"] == job.run_id
    assert (trial.info.status, trial.data.metrics["loss"]) == ("FINISHED", 0.25)
    assert sorted(ends(workspace)) == sorted([stages["hpo_trial"], stages["hpo_refit"]])


def test_a_workspace_that_is_named_by_settings_is_the_jobs_own(
    tmp_path: Path, workspace: Workspace, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    *_, subscription, _, group, _, _, _, name = SCOPE.split("/")
    parts = {"SUBSCRIPTION_ID": subscription, "RESOURCE_GROUP": group, "WORKSPACE_NAME": name}
    for key, value in parts.items():
        monkeypatch.setenv(f"STUDBOOK_TRACKING__AZURE__{key}", value)
    with Studbook.open(home=tmp_path / "home", delivery="inline") as book, book.run("mine") as run:
        assert run.backend_id() == job.run_id
    assert not workspace.requests("api-version")


def test_mlflows_own_functions_write_into_the_jobs_run_with_its_token(
    tmp_path: Path, workspace: Workspace, job: Job, behind: MlflowClient
) -> None:
    import mlflow

    with Studbook.open(home=tmp_path / "home", delivery="sidecar") as book, book.run("mine") as run:
        with run.as_active_mlflow(timeout=120) as run_id:
            mlflow.log_metric("theirs", 2.0)
            mlflow.log_text("words", "note.txt")
        assert run_id == job.run_id
    stored = behind.get_run(job.run_id)
    assert (stored.data.metrics, stored.info.status) == ({"theirs": 2.0}, "RUNNING")
    assert workspace.requests("/artifacts/batch/metadata")
    assert not workspace.requests("/oauth2/")
    assert ends(workspace) == []
