"""In a job its own token serves, and is renewed as long as the job runs."""

from __future__ import annotations

import time

import pytest

from azureml_stand_in.in_a_job import in_a_job
from azureml_stand_in.job_tokens import Job
from azureml_stand_in.workspace import HOST, SCOPE, URI, StandIn, Workspace
from faults.http_faults import Answer
from servers.mlflow_server import Server
from studbook.adapters.azureml.credentials import CredentialKind
from studbook.adapters.azureml.job import JobAccess
from studbook.adapters.azureml.tracking_store import azure_tracking_store
from studbook.adapters.azureml.workspace import Workspace as Target
from studbook.adapters.mlflow.patience import ONCE
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.domain.errors import ConfigError, TrackingDenied, TrackingUnavailable
from studbook.ports.contract.tracking_examples import RUN_KEY_TAG

_RENEWAL = "/token$"
_LOGIN = "/oauth2/"


def access(job: Job) -> JobAccess:
    said = job.variables
    return JobAccess(job.run_id, said["MLFLOW_TRACKING_TOKEN"], said.get("MLFLOW_EXPERIMENT_ID"))


def store_of(job: JobAccess | None, credential: CredentialKind = "default") -> MlflowTrackingStore:
    target = Target.of(URI, credential=credential, cloud="AzureCloud", job=job)
    return azure_tracking_store(target, run_key_tag=RUN_KEY_TAG, patience=ONCE)


def tokens_sent(workspace: Workspace) -> set[str]:
    return {one.headers.get("Authorization", "").removeprefix("Bearer ") for one in workspace.requests()}


@pytest.mark.parametrize("credential", ["default", "job"])
def test_the_jobs_token_serves_and_nobody_logs_in(
    workspace: Workspace, server: Server, credential: CredentialKind
) -> None:
    with in_a_job(workspace, server) as job:
        assert store_of(access(job), credential).get_run(job.run_id).name == "job 7"
    assert tokens_sent(workspace) == {job.variables["MLFLOW_TRACKING_TOKEN"]}


def test_a_credential_that_is_named_serves_instead(
    workspace: Workspace, server: Server, azure: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    with in_a_job(workspace, server) as job:
        for name, value in azure.variables.items():
            monkeypatch.setenv(name, value)
        store_of(access(job), "environment").get_run(job.run_id)
    assert workspace.requests(_LOGIN)
    assert job.variables["MLFLOW_TRACKING_TOKEN"] not in tokens_sent(workspace)


def test_what_a_jobs_token_is_not_good_for_is_asked_as_who_else_there_is(
    workspace: Workspace, server: Server, azure: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    with in_a_job(workspace, server) as job:
        for name, value in azure.variables.items():
            monkeypatch.setenv(name, value)
        found = Target.of(URI, credential="default", cloud="AzureCloud", job=access(job))
        assert found.location.document_host() == HOST
    assert len(workspace.requests(_LOGIN, "POST")) == 1
    assert job.variables["MLFLOW_TRACKING_TOKEN"] not in tokens_sent(workspace)


@pytest.mark.parametrize("by_name", [False, True])
def test_a_token_that_is_about_to_expire_is_renewed_by_the_experiments_id(
    workspace: Workspace, server: Server, by_name: bool
) -> None:
    with in_a_job(workspace, server, by_name=by_name, life_s=60) as job:
        store = store_of(access(job))
        experiment_id = store._store().get_run(job.run_id).info.experiment_id
    (renewal,) = workspace.requests(_RENEWAL, "GET")
    assert renewal.path == f"/history/v1.0{SCOPE}/experimentids/{experiment_id}/runs/{job.run_id}/token"
    asked_with, used = renewal.headers["Authorization"], workspace.requests()[-1].headers["Authorization"]
    assert asked_with == f"Bearer {job.variables['MLFLOW_TRACKING_TOKEN']}"
    assert used != asked_with


def test_it_is_renewed_in_time_wherever_the_machines_clock_is_set(
    workspace: Workspace, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as zone:
        zone.setenv("TZ", "Etc/GMT-5")
        time.tzset()
        with in_a_job(workspace, server, life_s=60) as job:
            store_of(access(job)).get_run(job.run_id)
    time.tzset()
    assert len(workspace.requests(_RENEWAL, "GET")) == 1


@pytest.mark.parametrize("by_name", [False, True])
def test_an_expired_token_is_told_with_the_way_out(
    workspace: Workspace, server: Server, by_name: bool
) -> None:
    with (
        in_a_job(workspace, server, by_name=by_name, life_s=-60) as job,
        pytest.raises(TrackingDenied) as caught,
    ):
        store_of(access(job)).get_run(job.run_id)
    assert "MLFLOW_TRACKING_TOKEN" in caught.value.problem
    assert "managed-identity" in caught.value.cure
    assert job.variables["MLFLOW_TRACKING_TOKEN"] not in f"{caught.value}{caught.value.details}"


def test_a_renewal_that_fails_is_tried_again_with_the_next_question(
    workspace: Workspace, server: Server
) -> None:
    with in_a_job(workspace, server, life_s=60) as job:
        store = store_of(access(job))
        workspace.on(_RENEWAL, Answer(400))
        with pytest.raises(TrackingUnavailable):
            store.get_run(job.run_id)
        assert store.get_run(job.run_id).run_id == job.run_id


def test_what_is_no_token_is_told(workspace: Workspace, server: Server) -> None:
    with in_a_job(workspace, server) as job, pytest.raises(TrackingDenied, match="when it expires"):
        store_of(JobAccess(job.run_id, "no-token-at-all", "1")).get_run(job.run_id)


def test_without_a_job_there_is_no_credential_of_one() -> None:
    with pytest.raises(ConfigError, match="in no job"):
        store_of(None, "job")
