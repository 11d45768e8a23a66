"""`studbook doctor` on an Azure ML workspace, as people start it, with a workspace that its downloaded file names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from azureml_stand_in.in_a_job import in_a_job
from azureml_stand_in.resource_manager import NO_ROLE
from azureml_stand_in.workspace import SCOPE, StandIn, Workspace
from entrypoints.cli.test_doctor import Told, doctor, problems
from servers.mlflow_server import Server
from studbook.application.store_checkup import EXPERIMENT

_ROWS = ["credentials", "workspace", "reachability", "search", "clock", "limits", "write"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with settings that name the workspace."""
    *_, subscription, _, group, _, _, _, name = SCOPE.split("/")
    parts = {"subscription_id": subscription, "resource_group": group, "workspace_name": name}
    (tmp_path / "config.json").write_text(json.dumps(parts))
    (tmp_path / "studbook.yaml").write_text("tracking:\n  azure:\n    config: config.json\n")
    return tmp_path


def told(project: Path, azure: StandIn, *words: str, **variables: str) -> Told:
    return doctor(project, *words, "--json", **{**azure.variables, **variables})


def test_a_probe_run_shows_that_the_workspace_takes_writes(
    project: Path, azure: StandIn, workspace: Workspace
) -> None:
    found = told(project, azure, "--write")
    assert found.code == 0, found.out
    assert list(found.checks)[-7:] == _ROWS
    assert "put in the bin" in found.checks["write"]["found"]
    assert workspace.requests(rf"/experiments/get-by-name\?experiment_name={EXPERIMENT}")
    assert workspace.requests("/runs/create")
    assert workspace.requests("/artifacts/batch/metadata")
    assert workspace.requests("/runs/delete")
    assert azure.variables["AZURE_CLIENT_SECRET"] not in found.out + found.err


def test_credentials_that_are_not_taken_are_a_problem(
    project: Path, azure: StandIn, workspace: Workspace
) -> None:
    found = told(project, azure, "--write", AZURE_CLIENT_SECRET="wrong-and-secret")  # noqa: S106
    assert (found.code, problems(found)) == (4, ["credentials"])
    assert "AADSTS7000215" in found.checks["credentials"]["found"]
    assert found.checks["write"]["found"].startswith("not looked at")
    assert "wrong-and-secret" not in found.out + found.err
    assert not workspace.requests("devicecode")


def test_a_missing_role_is_a_problem_with_the_role_that_is_needed(
    project: Path, azure: StandIn, workspace: Workspace
) -> None:
    workspace.on("/runs/create", NO_ROLE)
    found = told(project, azure, "--write")
    assert (found.code, problems(found)) == (4, ["write"])
    assert "AzureML Data Scientist" in found.checks["write"]["cure"]


def test_a_network_that_leads_nowhere_is_a_problem(project: Path, azure: StandIn) -> None:
    nowhere = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), "http://127.0.0.1:9")
    found = told(project, azure, **nowhere)
    assert (found.code, problems(found)) == (4, ["credentials"])
    assert found.checks["credentials"]["cure"]


def test_in_a_job_its_own_token_is_enough(
    project: Path, azure: StandIn, workspace: Workspace, server: Server
) -> None:
    with in_a_job(workspace, server) as job:
        found = told(
            project,
            azure,
            "--write",
            **dict.fromkeys(("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"), ""),
            **job.variables,
        )
    assert found.code == 0, found.out
    assert not workspace.requests("/oauth2/")
    assert job.variables["MLFLOW_TRACKING_TOKEN"] not in found.out + found.err
