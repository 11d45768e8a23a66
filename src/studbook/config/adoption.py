"""The run that stands open for this process already: its job's, or the one that MLflow's variable names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from ..domain.run_context import RUN_CONTEXT_VARIABLE
from ..domain.run_events import Adoption
from .tracking_target import TargetKind, TrackingTarget


def in_its_job(target: TrackingTarget, environ: Mapping[str, str]) -> TrackingTarget:
    """The target with the run of the Azure ML job that this process is in, if it is in one of that workspace."""
    job_run_id = environ.get("AZUREML_RUN_ID")
    of_the_job = environ.get("MLFLOW_TRACKING_URI", "").partition(":")[0].lower() == TargetKind.AZUREML
    if not job_run_id or not of_the_job or target.kind is not TargetKind.AZUREML:
        return target
    return replace(target, job_run_id=job_run_id)


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
