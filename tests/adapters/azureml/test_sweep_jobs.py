"""Sweep jobs of a workspace keep the port's contract, through Azure's resource manager."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from azureml_stand_in.jobs import MANAGEMENT
from azureml_stand_in.workspace import SCOPE, URI, Workspace
from faults.http_faults import Answer
from studbook.adapters.azureml.sweep_jobs import AzureSweepJobs
from studbook.adapters.azureml.workspace import Workspace as Target
from studbook.adapters.mlflow.patience import ONCE, Patience
from studbook.domain.errors import TrackingDenied, TrackingUnavailable
from studbook.domain.sweep_job import SweepJob
from studbook.ports.contract.sweep_jobs import SweepJobsContract
from studbook.ports.sweep_jobs import SweepJobs


def jobs_of(patience: Patience = ONCE) -> AzureSweepJobs:
    return AzureSweepJobs(Target.of(URI, credential="environment", cloud="AzureCloud"), patience=patience)


class TestSweepJobsOfAWorkspace(SweepJobsContract):
    """The port's contract."""

    workspace = "tests"

    @pytest.fixture
    def jobs(self, workspace: Workspace) -> SweepJobs:
        self._service = workspace
        return jobs_of()

    def plant(self, jobs: SweepJobs, job: SweepJob) -> None:
        del jobs
        self._service.jobs.plant_sweep(
            job.name, metric=job.metric, goal=job.goal, status=job.status, best_child=job.best_child
        )

    def plant_other(self, jobs: SweepJobs, name: str) -> None:
        del jobs
        self._service.jobs.plant(name, jobType="Command", status="Completed")


def test_it_is_one_request_with_the_workspaces_credential(workspace: Workspace) -> None:
    workspace.jobs.plant_sweep("calm_hill", metric="acc")
    jobs_of().read("calm_hill")
    (asked,) = (one for one in workspace.requests() if one.headers["Host"] == MANAGEMENT)
    address = urlsplit(asked.path)
    assert (asked.method, address.path) == ("GET", f"{SCOPE}/jobs/calm_hill")
    assert parse_qs(address.query) == {"api-version": ["2023-10-01"]}
    assert asked.headers["Authorization"].startswith("Bearer ")


def test_a_service_that_cannot_serve_is_asked_again(workspace: Workspace) -> None:
    workspace.jobs.plant_sweep("calm_hill", metric="acc")
    workspace.on("/jobs/", Answer(503), times=2)
    with pytest.raises(TrackingUnavailable):
        jobs_of().read("calm_hill")
    again = Patience(first_wait_s=0.0, longest_wait_s=0.0)
    assert jobs_of(again).read("calm_hill").metric == "acc"


def test_who_may_not_read_jobs_is_denied(workspace: Workspace) -> None:
    workspace.on("/jobs/", Answer(403))
    with pytest.raises(TrackingDenied):
        jobs_of().read("calm_hill")


@pytest.mark.parametrize("properties", [{}, {"jobType": "Sweep"}, {"jobType": "Sweep", "objective": {}}])
def test_a_document_that_tells_no_sweep_is_not_taken_for_one(
    workspace: Workspace, properties: dict[str, Any]
) -> None:
    workspace.jobs.plant("calm_hill", **properties)
    with pytest.raises(TrackingUnavailable):
        jobs_of().read("calm_hill")
