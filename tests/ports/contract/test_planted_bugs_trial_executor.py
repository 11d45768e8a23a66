"""Executors that break one promise each, and the tests of the contract that must notice."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from studbook.adapters.in_process.trial_executor import InProcessExecutor
from studbook.ports.contract.trial_executor import TrialExecutorContract
from studbook.ports.contract.violations import violations
from studbook.ports.trial_executor import Task, TrialExecutor

NextTask = Callable[[], Task | None]


class Impatient(TrialExecutorContract):
    patience = 0.2


def pull_all(next_task: NextTask) -> list[Task]:
    tasks = []
    while (task := next_task()) is not None:
        tasks.append(task)
    return tasks


class OneAtATime:
    def run(self, next_task: NextTask, workers: int) -> None:
        InProcessExecutor().run(next_task, min(workers, 1))


class PullsAllFirst:
    def run(self, next_task: NextTask, workers: int) -> None:
        tasks = pull_all(next_task)
        InProcessExecutor().run(lambda: tasks.pop(0) if tasks else None, workers)


class ReadsAhead:
    def run(self, next_task: NextTask, workers: int) -> None:
        ahead = [next_task()]

        def buffered() -> Task | None:
            if ahead[-1] is not None:
                ahead.append(next_task())
            return ahead.pop(0)

        InProcessExecutor().run(buffered, workers)


class LosesTheLast:
    def run(self, next_task: NextTask, workers: int) -> None:
        held = next_task()

        def one_late() -> Task | None:
            nonlocal held
            task, held = held, next_task()
            return task if held is not None else None

        InProcessExecutor().run(one_late, workers)


class PullsInAnotherThread:
    def run(self, next_task: NextTask, workers: int) -> None:
        failures: list[BaseException] = []

        def all_of_it() -> None:
            try:
                InProcessExecutor().run(next_task, workers)
            except BaseException as error:  # noqa: BLE001
                failures.append(error)

        thread = threading.Thread(target=all_of_it)
        thread.start()
        thread.join()
        if failures:
            raise failures[0]


class Swallows:
    def run(self, next_task: NextTask, workers: int) -> None:
        try:
            InProcessExecutor().run(next_task, workers)
        except Exception:  # noqa: BLE001
            return


class GoesOnAfterAFailure:
    def run(self, next_task: NextTask, workers: int) -> None:
        failures: list[BaseException] = []

        def shielded() -> Task | None:
            task = next_task()
            return None if task is None else lambda: self._attempt(task, failures)

        InProcessExecutor().run(shielded, workers)
        if failures:
            raise failures[0]

    def _attempt(self, task: Task, failures: list[BaseException]) -> None:
        try:
            task()
        except BaseException as error:  # noqa: BLE001
            failures.append(error)


class PullsBeforeItStarts:
    """Takes a first task for each worker before any runs: an error of `next_task` then loses those taken."""

    def run(self, next_task: NextTask, workers: int) -> None:
        taken = [task for task in (next_task() for _ in range(workers)) if task is not None]
        InProcessExecutor().run(lambda: taken.pop(0) if taken else next_task(), workers)


@pytest.mark.parametrize(
    ("broken", "noticed"),
    [
        (OneAtATime, "test_all_workers_run_side_by_side"),
        (PullsAllFirst, "test_next_task_is_called_by_the_caller_and_only_for_a_free_worker"),
        (ReadsAhead, "test_next_task_is_called_by_the_caller_and_only_for_a_free_worker"),
        (LosesTheLast, "test_every_task_runs_once_and_has_ended_on_return"),
        (PullsInAnotherThread, "test_next_task_is_called_by_the_caller_and_only_for_a_free_worker"),
        (Swallows, "test_an_exception_of_a_task_stops_the_pulling_and_is_raised"),
        (GoesOnAfterAFailure, "test_an_exception_of_a_task_stops_the_pulling_and_is_raised"),
        (
            PullsBeforeItStarts,
            "test_an_exception_of_next_task_is_raised_once_running_tasks_have_ended",
        ),
    ],
)
def test_the_contract_notices(broken: Callable[[], TrialExecutor], noticed: str) -> None:
    assert noticed in violations(Impatient(), executor=broken)


def test_the_contract_has_nothing_against_a_right_executor() -> None:
    assert violations(TrialExecutorContract(), executor=InProcessExecutor) == set()
