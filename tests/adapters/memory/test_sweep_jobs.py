"""The memory fake keeps the port's contract."""

from __future__ import annotations

import pytest

from studbook.adapters.memory.sweep_jobs import MemorySweepJobs
from studbook.domain.sweep_job import SweepJob
from studbook.ports.contract.sweep_jobs import SweepJobsContract
from studbook.ports.sweep_jobs import SweepJobs


class TestMemorySweepJobs(SweepJobsContract):
    """The port's contract."""

    workspace = "made-up"

    @pytest.fixture
    def jobs(self) -> SweepJobs:
        return MemorySweepJobs()

    def plant(self, jobs: SweepJobs, job: SweepJob) -> None:
        assert isinstance(jobs, MemorySweepJobs)
        jobs.jobs[job.name] = job

    def plant_other(self, jobs: SweepJobs, name: str) -> None:
        assert isinstance(jobs, MemorySweepJobs)
        jobs.jobs[name] = None
