"""The sweep jobs of a backend that is no service: there are none."""

from __future__ import annotations

from ..domain.errors import NoSweepJobs
from ..domain.sweep_job import SweepJob


class NoService:
    """Refuses every question; `target` is what is tracked to, without secrets."""

    def __init__(self, target: str) -> None:
        self._target = target

    def read(self, name: str) -> SweepJob:
        """Raises NoSweepJobs."""
        raise NoSweepJobs(
            f"{self._target} runs no sweep jobs: only an Azure ML workspace does",
            cure="name the workspace: tracking.uri, or --tracking-uri before the verb, azureml://…",
            job=name,
        )
