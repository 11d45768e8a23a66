"""What callers and the service say of a sweep job."""

from __future__ import annotations

from dataclasses import replace

import pytest

from studbook.domain.errors import InvalidInput, MalformedRun
from studbook.domain.study import Direction
from studbook.domain.sweep_job import AzureSweep, SweepJob

JOB = SweepJob("calm_hill", "tests", "Completed", "acc", "Maximize")


@pytest.mark.parametrize("goal", ["Maximize", "maximize", "MAXIMIZE"])
def test_the_goal_is_read_whatever_its_case(goal: str) -> None:
    assert replace(JOB, goal=goal).direction is Direction.MAXIMIZE
    assert replace(JOB, goal=goal.replace("ax", "in").replace("AX", "IN")).direction is Direction.MINIMIZE


@pytest.mark.parametrize("goal", ["", "max", "Maximise"])
def test_a_goal_that_is_no_direction_is_an_error(goal: str) -> None:
    with pytest.raises(MalformedRun, match="calm_hill"):
        assert replace(JOB, goal=goal).direction


@pytest.mark.parametrize("name", ["", "a/b", "a b", "../jobs", "-a", "a" * 256])
def test_what_can_be_no_name_of_a_job_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="no name of a job"):
        AzureSweep(name)
