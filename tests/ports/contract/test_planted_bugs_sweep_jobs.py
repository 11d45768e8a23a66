"""The contract of sweep jobs finds what it is for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from studbook.adapters.memory.sweep_jobs import MemorySweepJobs
from studbook.domain.errors import StudbookError, SweepJobNotFound
from studbook.domain.sweep_job import SweepJob
from studbook.ports.contract.sweep_jobs import SweepJobsContract
from studbook.ports.contract.violations import violations
from studbook.ports.sweep_jobs import SweepJobs


class RemembersTheFirstAnswer(MemorySweepJobs):
    def __init__(self) -> None:
        super().__init__()
        self._read: dict[str, SweepJob] = {}

    def read(self, name: str) -> SweepJob:
        if name not in self._read:
            self._read[name] = super().read(name)
        return self._read[name]


class MaximizesAlways(MemorySweepJobs):
    def read(self, name: str) -> SweepJob:
        return replace(super().read(name), goal="maximize")


class TakesAnyJob(MemorySweepJobs):
    def read(self, name: str) -> SweepJob:
        return self.jobs.get(name) or SweepJob(name, "made-up", "Completed", "acc", "maximize")


class FindsNothingElse(MemorySweepJobs):
    def read(self, name: str) -> SweepJob:
        try:
            return super().read(name)
        except StudbookError as error:
            raise SweepJobNotFound(error.problem, cure=error.cure) from error


class Suite(SweepJobsContract):
    """The contract, run by hand; pytest does not collect it by this name."""

    workspace = "made-up"

    def plant(self, jobs: SweepJobs, job: SweepJob) -> None:
        assert isinstance(jobs, MemorySweepJobs)
        jobs.jobs[job.name] = job

    def plant_other(self, jobs: SweepJobs, name: str) -> None:
        assert isinstance(jobs, MemorySweepJobs)
        jobs.jobs[name] = None


BUGS = {
    RemembersTheFirstAnswer: "test_a_job_is_read_as_it_is_now",
    MaximizesAlways: "test_a_job_is_read_as_the_service_says",
    TakesAnyJob: "test_a_job_that_is_not_there_is_not_found",
    FindsNothingElse: "test_a_job_of_another_type_is_told",
}


def test_the_healthy_fake_keeps_every_promise() -> None:
    assert violations(Suite(), jobs=MemorySweepJobs) == set()


@pytest.mark.parametrize("planted", BUGS, ids=lambda planted: planted.__name__)
def test_the_suite_refuses_a_planted_bug(planted: type[MemorySweepJobs]) -> None:
    assert BUGS[planted] in violations(Suite(), jobs=planted)
