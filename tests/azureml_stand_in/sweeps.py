"""Sweeps as the service runs them: a job, its run, and its children's runs, which no studbook recorded."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from mlflow import MlflowClient

from azureml_stand_in.workspace import Workspace

_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class ServiceSweep:
    """A sweep that is over: its job's name, and its children's."""

    name: str
    experiment: str
    children: Sequence[str]


def run_sweep(
    workspace: Workspace,
    mlflow: str,
    values: Sequence[float],
    *,
    best: int | None = None,
    tags: Mapping[str, str] = _NONE,
) -> ServiceSweep:
    """Have the service run a sweep that maximizes `acc`, in an experiment of its own, over the MLflow server at this
    address; `best` is the child that it prefers.
    """
    client = MlflowClient(mlflow, registry_uri=mlflow)
    experiment = f"search-{uuid.uuid4().hex}"
    experiment_id = client.create_experiment(experiment)
    name = client.create_run(experiment_id, run_name="sweep", tags=dict(tags)).info.run_id
    children = []
    for number, value in enumerate(values):
        child = client.create_run(
            experiment_id, run_name=f"child {number}", tags={"mlflow.parentRunId": name}
        ).info.run_id
        client.log_metric(child, "acc", value)
        client.set_terminated(child)
        children.append(child)
    client.set_terminated(name)
    workspace.jobs.plant_sweep(
        name, metric="acc", best_child=None if best is None else children[best], status="Completed"
    )
    return ServiceSweep(name, experiment, children)
