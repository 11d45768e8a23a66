"""Sweep jobs in memory: what a service would say of them."""

from __future__ import annotations

from ...domain.errors import NotASweepJob, SweepJobNotFound
from ...domain.sweep_job import SweepJob


class MemorySweepJobs:
    """A verified fake. `jobs` is by name; None is a job of another type."""

    def __init__(self) -> None:
        self.jobs: dict[str, SweepJob | None] = {}

    def read(self, name: str) -> SweepJob:
        """See SweepJobs."""
        if name not in self.jobs:
            raise SweepJobNotFound(f"there is no job {name}", cure="check the name", job=name)
        job = self.jobs[name]
        if job is None:
            raise NotASweepJob(f"the job {name} is no sweep", cure="name a sweep job", job=name)
        return job
