"""What every TrialExecutor must do. No test waits for time to pass: workers meet at barriers.

Subclass `TrialExecutorContract`, override the fixture `executor`, and let pytest collect it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from functools import partial

import pytest

from ...domain.errors import InvalidInput
from ..trial_executor import Task, TrialExecutor


class _Probe(Exception):
    """What a task of these tests raises."""


class _Stop(BaseException):
    """Like a Ctrl-C: no Exception."""


class _Ledger:
    """Counts what was pulled and what has ended, and notes every breach seen while pulling."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.pulled = 0
        self.ended = 0
        self.breaches: list[str] = []
        self._caller = threading.get_ident()
        self._lock = threading.Lock()

    def source(self, tasks: Iterable[Task]) -> Callable[[], Task | None]:
        """A `next_task` over `tasks` that watches who calls it, and when."""
        rest = iter(tasks)

        def next_task() -> Task | None:
            if threading.get_ident() != self._caller:
                self.breaches.append("next_task was called from another thread")
            with self._lock:
                if self.pulled - self.ended >= self.workers:
                    self.breaches.append("next_task was called while no worker was free")
                task = next(rest, None)
                self.pulled += task is not None
            return None if task is None else self._counted(task)

        return next_task

    def _counted(self, task: Task) -> Task:
        def counted() -> None:
            try:
                task()
            finally:
                with self._lock:
                    self.ended += 1

        return counted


class TrialExecutorContract:
    """The promises of the port. `patience` is how long, in seconds, workers may need to meet."""

    patience = 30.0

    @pytest.fixture
    def executor(self) -> TrialExecutor:
        """The executor under test."""
        raise NotImplementedError

    def test_every_task_runs_once_and_has_ended_on_return(self, executor: TrialExecutor) -> None:
        for workers in (1, 2, 3):
            done: list[int] = []
            ledger = _Ledger(workers)
            executor.run(ledger.source(partial(done.append, n) for n in range(7)), workers)
            assert sorted(done) == list(range(7))
            assert ledger.ended == 7

    def test_no_task_is_no_work(self, executor: TrialExecutor) -> None:
        for workers in (1, 4):
            executor.run(lambda: None, workers)

    def test_one_worker_runs_tasks_in_the_order_they_were_given(self, executor: TrialExecutor) -> None:
        done: list[int] = []
        executor.run(_Ledger(1).source(partial(done.append, n) for n in range(5)), 1)
        assert done == list(range(5))

    def test_all_workers_run_side_by_side(self, executor: TrialExecutor) -> None:
        for workers in (2, 3):
            meeting = threading.Barrier(workers)
            tasks: list[Task] = [partial(_meet, meeting, self.patience)] * (2 * workers)
            executor.run(_Ledger(workers).source(tasks), workers)

    def test_next_task_is_called_by_the_caller_and_only_for_a_free_worker(
        self, executor: TrialExecutor
    ) -> None:
        for workers in (1, 2, 3):
            ledger = _Ledger(workers)
            meeting = threading.Barrier(workers)
            tasks: list[Task] = [partial(_meet, meeting, self.patience)] * (3 * workers)
            executor.run(ledger.source(tasks), workers)
            assert ledger.breaches == []

    def test_never_more_tasks_at_once_than_workers(self, executor: TrialExecutor) -> None:
        for workers in (1, 2):
            gauge = _Gauge()
            task = partial(_meet_inside, gauge, threading.Barrier(workers), self.patience)
            executor.run(_Ledger(workers).source([task] * (4 * workers)), workers)
            assert gauge.highest == workers

    def test_an_exception_of_a_task_stops_the_pulling_and_is_raised(self, executor: TrialExecutor) -> None:
        for workers in (1, 2):
            for kind in (_Probe, _Stop):
                ledger = _Ledger(workers)
                with pytest.raises(kind):
                    executor.run(ledger.source(_raising(kind) for _ in range(50)), workers)
                assert ledger.pulled <= workers
                assert ledger.ended == ledger.pulled

    def test_an_exception_of_next_task_is_raised_once_running_tasks_have_ended(
        self, executor: TrialExecutor
    ) -> None:
        asked = threading.Event()
        seen: list[str] = []

        def task() -> None:
            assert asked.wait(self.patience)
            seen.append("ended")

        def next_task() -> Task:
            seen.append("asked")
            if len(seen) > 1:
                asked.set()
                raise _Probe
            return task

        with pytest.raises(_Probe):
            executor.run(next_task, 2)
        assert seen == ["asked", "asked", "ended"]

    def test_an_exception_of_next_task_is_raised_with_one_worker(self, executor: TrialExecutor) -> None:
        def next_task() -> Task:
            raise _Probe

        with pytest.raises(_Probe):
            executor.run(next_task, 1)

    def test_tasks_that_run_end_before_an_exception_of_another_is_raised(
        self, executor: TrialExecutor
    ) -> None:
        failed = threading.Event()
        ended: list[str] = []

        def failing() -> None:
            failed.set()
            raise _Probe

        def slower() -> None:
            assert failed.wait(self.patience)
            ended.append("slower")

        with pytest.raises(_Probe):
            executor.run(_Ledger(2).source([slower, failing]), 2)
        assert ended == ["slower"]

    def test_no_worker_is_refused(self, executor: TrialExecutor) -> None:
        for workers in (0, -1):
            with pytest.raises(InvalidInput):
                executor.run(lambda: None, workers)


class _Gauge:
    """How many are inside at once, and the most there ever were."""

    def __init__(self) -> None:
        self.highest = 0
        self._inside = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            self.highest = max(self.highest, self._inside)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1


def _meet(meeting: threading.Barrier, patience: float) -> None:
    meeting.wait(patience)


def _meet_inside(gauge: _Gauge, meeting: threading.Barrier, patience: float) -> None:
    with gauge:
        meeting.wait(patience)


def _raising(kind: type[BaseException]) -> Task:
    def task() -> None:
        raise kind

    return task
