"""Sweep jobs of a workspace, as Azure's resource manager tells of them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from ...domain.errors import NotASweepJob, SweepJobNotFound, TrackingRefused
from ...domain.sweep_job import SweepJob
from ..mlflow.errors import unreadable_answer
from ..mlflow.patience import Patience
from ..mlflow.rest_calls import TIMEOUT_S, Json
from .workspace import Workspace

_OK = 200
_NOT_FOUND = 404


class AzureSweepJobs:
    """Thread-safe. One request a job; it is repeated as `patience` says."""

    def __init__(
        self,
        workspace: Workspace,
        *,
        timeout_s: float = TIMEOUT_S,
        patience: Patience = Patience(),
    ) -> None:
        self._workspace = workspace
        self._timeout_s = timeout_s
        self._patience = patience

    def read(self, name: str) -> SweepJob:
        """See SweepJobs."""
        properties = self._document(name).get("properties")
        try:
            return self._job(name, properties)
        except (AttributeError, KeyError, TypeError) as error:
            raise unreadable_answer(_OK, writes=False) from error

    def _document(self, name: str) -> Json:
        path = f"{self._workspace.scope}/jobs/{quote(name, safe='')}"
        try:
            return self._workspace.manager.get(path, timeout_s=self._timeout_s, patience=self._patience)
        except TrackingRefused as error:
            if error.details.get("status") != _NOT_FOUND:
                raise
            raise SweepJobNotFound(
                f"the workspace {self._workspace.name} has no job {name}",
                cure="check the name (az ml job list), and the workspace",
                job=name,
            ) from error

    def _job(self, name: str, properties: Any) -> SweepJob:
        kind = str(properties["jobType"])
        if kind.lower() != "sweep":
            raise NotASweepJob(
                f"the job {name} is no sweep, but a {kind} job",
                cure="name the sweep job itself, and neither a child nor a pipeline (az ml job list)",
                job=name,
            )
        objective, more = properties["objective"], properties.get("properties") or {}
        return SweepJob(
            name=name,
            workspace=self._workspace.name,
            status=str(properties.get("status") or "unknown"),
            metric=str(objective["primaryMetric"]),
            goal=str(objective["goal"]),
            best_child=more.get("best_child_run_id") or None,
        )
