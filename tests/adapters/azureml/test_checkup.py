"""The checkup of a workspace says whether it can be used, and what stands in the way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from azureml_stand_in.in_a_job import in_a_job
from azureml_stand_in.resource_manager import NO_ROLE
from azureml_stand_in.workspace import HOST, SCOPE, URI, Workspace
from faults.http_faults import Answer, ResetBefore
from servers.mlflow_server import Server
from studbook.adapters.azureml.checkup import WorkspaceCheckup
from studbook.adapters.azureml.job import JobAccess
from studbook.adapters.azureml.tracking_store import azure_tracking_store
from studbook.adapters.azureml.workspace import Workspace as Target
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.application.diagnosis import Diagnose, Row
from studbook.ports.checkup import Checkup
from studbook.ports.contract.checkup import CheckupContract
from studbook.ports.contract.tracking_examples import RUN_KEY_TAG, fresh_name, new_run
from studbook.ports.run_query import ANY_STATUS, RunQuery

NAMED = f"azureml://{SCOPE}"
_DOCUMENT = "api-version"
_SEARCH = "/experiments/search"


def target(uri: str = URI, job: JobAccess | None = None) -> Target:
    return Target.of(uri, credential="environment" if job is None else "job", cloud="AzureCloud", job=job)


def looked(found: Target, **options: Callable[[], datetime]) -> dict[str, Row]:
    checkup = WorkspaceCheckup(found, **options)
    return {row.check: row for row in Diagnose([("backend", lambda: checkup)])().rows}


def outcomes(rows: dict[str, Row]) -> str:
    """One letter a row: ok, problem, and warning for what was not looked at, too."""
    return "".join(row.outcome[0] for row in rows.values())


class TestAWorkspace(CheckupContract):
    @pytest.fixture
    def checkup(self, workspace: Workspace) -> Checkup:
        return WorkspaceCheckup(target())

    @pytest.fixture
    def seen(self, server: Server) -> Callable[[], object]:
        store = MlflowTrackingStore(server.uri, run_key_tag=RUN_KEY_TAG)
        return lambda: [
            (each, list(store.find(RunQuery((each,), ANY_STATUS)))) for each in store.experiments()
        ]


class TestAWorkspaceWithoutARole(TestAWorkspace):
    @pytest.fixture
    def checkup(self, workspace: Workspace) -> Checkup:
        workspace.on(_DOCUMENT, NO_ROLE, times=None)
        workspace.on(_SEARCH, NO_ROLE, times=2)
        return WorkspaceCheckup(target())


@pytest.mark.parametrize("uri", [URI, NAMED], ids=["by its address", "by its name"])
def test_a_workspace_that_answers_is_well(workspace: Workspace, uri: str) -> None:
    azure_tracking_store(target(), run_key_tag=RUN_KEY_TAG).create_run(new_run(fresh_name()))
    rows = looked(target(uri))
    assert outcomes(rows) == "ooooo", rows
    assert "environment" in rows["credentials"].found
    assert HOST in rows["workspace"].found
    assert "a page of 500 runs" in rows["search"].found
    assert "within 60 s" in rows["clock"].found


def test_a_secret_that_is_not_taken_is_a_problem_and_hides_what_follows(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "wrong-and-secret")
    rows = looked(target())
    assert outcomes(rows) == "pwwww"
    assert "AADSTS7000215" in rows["credentials"].found
    assert "AZURE_CLIENT_SECRET" in str(rows["credentials"].cure)
    assert "wrong-and-secret" not in str(rows)


def test_a_tenant_that_does_not_know_us_is_a_problem(workspace: Workspace) -> None:
    workspace.on(_DOCUMENT, Answer(401), times=2)
    rows = looked(target())
    assert outcomes(rows) == "opwww"
    assert "az login" in str(rows["workspace"].cure)


def test_no_role_in_the_workspace_is_a_problem(workspace: Workspace) -> None:
    workspace.on(_DOCUMENT, NO_ROLE)
    workspace.on(_SEARCH, NO_ROLE)
    rows = looked(target())
    assert outcomes(rows) == "owpww"
    assert "AzureML Data Scientist" in str(rows["reachability"].cure)


def test_its_document_need_not_be_readable_where_its_host_is_known(workspace: Workspace) -> None:
    for fault in (NO_ROLE, ResetBefore()):
        workspace.on(_DOCUMENT, fault)
        assert outcomes(looked(target())) == "owooo"
        workspace.on(_DOCUMENT, fault)
        assert outcomes(looked(target(NAMED))) == "opwww"


@pytest.mark.parametrize("uri", [f"{URI}2", f"{NAMED}2"], ids=["by its address", "by its name"])
@pytest.mark.usefixtures("workspace")
def test_a_workspace_that_is_not_there_is_a_problem(uri: str) -> None:
    rows = looked(target(uri))
    assert outcomes(rows) == "opwww"
    assert "no such workspace" in rows["workspace"].found
    assert "az ml workspace list" in str(rows["workspace"].cure)


@pytest.mark.usefixtures("workspace")
def test_another_host_than_the_workspaces_is_a_problem(workspace: Workspace) -> None:
    rows = looked(target(URI.replace(HOST, "northeurope.api.azureml.ms")))
    assert outcomes(rows) == "opwww"
    assert HOST in rows["workspace"].found


def test_a_workspace_that_does_not_answer_is_a_problem(workspace: Workspace) -> None:
    workspace.on(_SEARCH, ResetBefore())
    rows = looked(target())
    assert outcomes(rows) == "oopww"
    assert rows["reachability"].cure


def test_a_page_that_is_too_large_is_a_problem(workspace: Workspace) -> None:
    azure_tracking_store(target(), run_key_tag=RUN_KEY_TAG).create_run(new_run(fresh_name()))
    workspace.on("/runs/search", Answer(400))
    assert outcomes(looked(target())) == "ooopo"


def test_a_clock_that_is_wrong_is_told(workspace: Workspace) -> None:
    azure_tracking_store(target(), run_key_tag=RUN_KEY_TAG).create_run(new_run(fresh_name()))
    rows = looked(target(), now=lambda: datetime.now(UTC) - timedelta(hours=1))
    assert outcomes(rows) == "oooow"
    assert "behind" in rows["clock"].found


def test_a_jobs_own_token_is_good_inside_the_workspace_only(workspace: Workspace, server: Server) -> None:
    with in_a_job(workspace, server) as job:
        access = JobAccess(job.run_id, job.variables["MLFLOW_TRACKING_TOKEN"], "1")
        rows = looked(target(job=access))
    assert outcomes(rows) == "ooooo", rows
    assert "job" in rows["credentials"].found
    assert not workspace.requests(_DOCUMENT)
