"""What stands ready for this process: the run of its job, with a token, or the one that MLflow's variable names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from ..adapters.azureml.job import JobAccess
from ..domain.run_context import RUN_CONTEXT_VARIABLE
from ..domain.run_events import Adoption
from .tracking_target import TargetKind, TrackingTarget, workspace_identity, workspace_uri


def in_its_job(target: TrackingTarget, environ: Mapping[str, str]) -> TrackingTarget:
    """The target with the run of the Azure ML job that this process is in, if it is in one of that workspace; and with
    the workspace's host, which the job knows.
    """
    job_run_id, of_the_job = environ.get("AZUREML_RUN_ID"), environ.get("MLFLOW_TRACKING_URI", "").strip()
    if not job_run_id or target.kind is not TargetKind.AZUREML:
        return target
    workspace = workspace_identity(of_the_job)
    if workspace is None or workspace != workspace_identity(target.uri):
        return target
    return replace(target, job_run_id=job_run_id, uri=workspace_uri(of_the_job))


def job_access(target: TrackingTarget, environ: Mapping[str, str]) -> JobAccess | None:
    """What the job that the target was found to be of gave to this process; None without a token."""
    token = environ.get("MLFLOW_TRACKING_TOKEN")
    if target.job_run_id is None or not token:
        return None
    return JobAccess(target.job_run_id, token, environ.get("MLFLOW_EXPERIMENT_ID") or None)


def adoption(
    wanted: Literal["auto", "never"], target: TrackingTarget, environ: Mapping[str, str]
) -> Adoption | None:
    """The run that the first run of this process is to take over. A child of a run takes over none: it has one."""
    if wanted == "never" or environ.get(RUN_CONTEXT_VARIABLE):
        return None
    if target.job_run_id is not None:
        return Adoption(run_id=target.job_run_id, ended_by_service=True)
    run_id = environ.get("MLFLOW_RUN_ID")
    return Adoption(run_id=run_id) if run_id else None
