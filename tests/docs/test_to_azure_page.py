"""The five steps to Azure ML, walked through in the stand-in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from azureml_stand_in.in_a_job import in_a_job
from azureml_stand_in.workspace import SCOPE, StandIn, Workspace
from docs.pages import Page, run
from servers.mlflow_server import Server, free_port


@pytest.fixture
def laptop(tmp_path: Path) -> Path:
    """The page's scripts, before anybody has named a workspace."""
    page = Page.of("to-azure.md")
    del page.files["studbook.yaml"]
    page.write(tmp_path)
    return tmp_path


@pytest.fixture
def project(laptop: Path, workspace: Workspace) -> Path:
    """The project of the page, and the workspace's file beside it."""
    del workspace
    return _in_a_workspace(laptop)


def _in_a_workspace(folder: Path) -> Path:
    *_, subscription, _, group, _, _, _, name = SCOPE.split("/")
    parts = {"subscription_id": subscription, "resource_group": group, "workspace_name": name}
    (folder / "config.json").write_text(json.dumps(parts))
    (folder / "studbook.yaml").write_text(Page.of("to-azure.md").files["studbook.yaml"])
    return folder


def _commands(beginning: str) -> list[str]:
    return [command for command in Page.of("to-azure.md").commands if command.startswith(beginning)]


def _runs(folder: Path, azure: StandIn) -> dict[str, Any]:
    """What the page's listing shows, by ref."""
    (listing,) = _commands("studbook runs")
    done = run(folder, f"{listing} --json", **azure.variables)
    assert done.returncode in (0, 3), done.stderr
    return {each["ref"]: each for each in json.loads(done.stdout)} if done.returncode == 0 else {}


def test_the_doctor_finds_the_workspace_well(project: Path, azure: StandIn) -> None:
    (doctor,) = _commands("studbook doctor")
    done = run(project, doctor, **azure.variables)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.usefixtures("workspace")
def test_the_old_runs_come_along(laptop: Path, azure: StandIn) -> None:
    for script in ("before.py", "train.py"):
        done = run(laptop, f"python {script}", STUDBOOK_DELIVERY__MODE="inline")
        assert done.returncode == 0, done.stderr
    project = _in_a_workspace(laptop)
    plan, copy = _commands("studbook migrate")
    assert run(project, plan, **azure.variables).returncode == 0
    done = run(project, copy, **azure.variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "equal: 2 runs" in done.stdout


def test_what_was_recorded_offline_is_delivered_from_a_copied_folder(
    project: Path, azure: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> None:
    nowhere = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), f"http://127.0.0.1:{free_port()}")
    before = _runs(project, azure)
    offline = {**azure.variables, **nowhere, "STUDBOOK_DELIVERY__MODE": "manual"}
    for _ in range(2):
        done = run(project, "python train.py", **offline)
        assert done.returncode == 0, done.stderr
    elsewhere = tmp_path_factory.mktemp("another") / project.name
    shutil.copytree(project, elsewhere)
    (sync,) = _commands("studbook sync")
    done = run(elsewhere, sync, **azure.variables)
    assert done.returncode == 0, done.stdout + done.stderr
    delivered = [each for ref, each in _runs(elsewhere, azure).items() if ref not in before]
    assert [(each["name"], each["status"]) for each in delivered] == [("baseline", "FINISHED")] * 2


def test_the_script_of_a_job_records_into_the_jobs_run(
    project: Path, azure: StandIn, workspace: Workspace, server: Server
) -> None:
    with in_a_job(workspace, server) as job:
        way = {name: text for name, text in azure.variables.items() if not name.startswith("AZURE_")}
        done = run(project, "python train.py", **way, **job.variables, STUDBOOK_DELIVERY__MODE="inline")
        assert done.returncode == 0, done.stderr
    recorded = MlflowClient(server.uri, registry_uri=server.uri).get_run(job.variables["MLFLOW_RUN_ID"])
    assert recorded.data.metrics["macro_f1"] == 0.92
    assert recorded.data.tags["studbook.adopted"]
