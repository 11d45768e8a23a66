"""What every SweepJobs must do.

Subclass `SweepJobsContract`, override its fixture and the planting, and let pytest collect it.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from ...domain.errors import NotASweepJob, SweepJobNotFound
from ...domain.study import Direction
from ...domain.sweep_job import SweepJob
from ..sweep_jobs import SweepJobs
from .tracking_examples import fresh_name


class SweepJobsContract:
    """The promises of the port."""

    workspace: str

    @pytest.fixture
    def jobs(self) -> SweepJobs:
        """The jobs under test."""
        raise NotImplementedError

    def plant(self, jobs: SweepJobs, job: SweepJob) -> None:
        """Have the service hold this job, as it is now."""
        raise NotImplementedError

    def plant_other(self, jobs: SweepJobs, name: str) -> None:
        """Have the service hold a job that is no sweep."""
        raise NotImplementedError

    def job(self) -> SweepJob:
        """A job that no other test uses."""
        return SweepJob(fresh_name(), self.workspace, "Completed", "acc", "Maximize", best_child="child_1")

    def test_a_job_is_read_as_the_service_says(self, jobs: SweepJobs) -> None:
        one, other = self.job(), replace(self.job(), metric="loss", goal="minimize", best_child=None)
        for job in (one, other):
            self.plant(jobs, job)
        assert [jobs.read(job.name) for job in (one, other)] == [one, other]
        assert jobs.read(other.name).direction is Direction.MINIMIZE

    def test_a_job_is_read_as_it_is_now(self, jobs: SweepJobs) -> None:
        job = replace(self.job(), status="Running", best_child=None)
        for now in (job, replace(job, status="Completed", best_child="child_2")):
            self.plant(jobs, now)
            assert jobs.read(job.name) == now

    def test_a_job_that_is_not_there_is_not_found(self, jobs: SweepJobs) -> None:
        name = self.job().name
        with pytest.raises(SweepJobNotFound, match=name):
            jobs.read(name)

    def test_a_job_of_another_type_is_told(self, jobs: SweepJobs) -> None:
        name = self.job().name
        self.plant_other(jobs, name)
        with pytest.raises(NotASweepJob, match=name):
            jobs.read(name)
