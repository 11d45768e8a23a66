"""Our values as MLflow's entities, and its entities as our values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ...domain.run import RunStatus
from ...domain.store_writes import MetricPoint
from ...domain.stored_run import Lifecycle, StoredRun
from ...ports.metric_points import canonical_value

if TYPE_CHECKING:
    from mlflow.entities import Metric, Param, Run, RunTag

PARENT_TAG = "mlflow.parentRunId"
NAME_TAG = "mlflow.runName"
_OF_JOBS = {"COMPLETED": RunStatus.FINISHED, "CANCELED": RunStatus.KILLED}


def tag_entities(tags: dict[str, str]) -> list[RunTag]:
    """The tags for MLflow."""
    from mlflow.entities import RunTag

    return [RunTag(key, value) for key, value in tags.items()]  # type: ignore[no-untyped-call]


def param_entities(params: dict[str, str]) -> list[Param]:
    """The params for MLflow."""
    from mlflow.entities import Param

    return [Param(key, value) for key, value in params.items()]  # type: ignore[no-untyped-call]


def metric_entities(points: Iterable[MetricPoint]) -> list[Metric]:
    """The points for MLflow."""
    from mlflow.entities import Metric

    return [Metric(point.name, point.value, point.timestamp_ms, point.step) for point in points]


def status_code(status: RunStatus) -> int:
    """MLflow's number for the status."""
    from mlflow.entities import RunStatus as MlflowStatus

    return int(MlflowStatus.from_string(str(status)))  # type: ignore[no-untyped-call]


def view_code(lifecycles: frozenset[Lifecycle]) -> int:
    """The number of MLflow's view that covers these lifecycles; it may cover more."""
    from mlflow.entities import ViewType

    if lifecycles == {Lifecycle.ACTIVE}:
        return ViewType.ACTIVE_ONLY
    return ViewType.DELETED_ONLY if lifecycles == {Lifecycle.DELETED} else ViewType.ALL


def stored_run(run: Run, experiment: str) -> StoredRun:
    """The run with all its fields; `tags` are as MLflow has them, its own included.

    See `read_status`.
    """
    tags = dict(run.data.tags)
    return StoredRun(
        run_id=str(run.info.run_id),
        experiment=experiment,
        name=run.info.run_name or tags.get(NAME_TAG, ""),
        status=read_status(run.info.status),
        lifecycle=Lifecycle(run.info.lifecycle_stage),
        started_at_ms=int(run.info.start_time or 0),
        ended_at_ms=int(run.info.end_time) if run.info.end_time else None,
        parent_id=tags.get(PARENT_TAG),
        tags=tags,
        params=dict(run.data.params),
        metrics={name: canonical_value(value) for name, value in run.data.metrics.items()},
    )


def metric_points(metrics: Iterable[Metric]) -> list[MetricPoint]:
    """The points, in the order given."""
    return [
        MetricPoint(metric.key, canonical_value(metric.value), int(metric.timestamp), int(metric.step))
        for metric in metrics
    ]


def read_status(status: str) -> RunStatus:
    """Ours for MLflow's, or for a job's in Azure ML; one that is no end is RUNNING."""
    name = status.upper()
    try:
        return RunStatus(name)
    except ValueError:
        return _OF_JOBS.get(name, RunStatus.RUNNING)
