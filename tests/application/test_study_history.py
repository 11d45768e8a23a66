"""A study that goes on: later sessions, lost storages, and the runs of processes that died."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from studbook.adapters.in_process.trial_executor import InProcessExecutor
from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.memory.delivery_ledger import MemoryDeliveryLedger
from studbook.adapters.memory.event_log import MemoryEventLog
from studbook.adapters.memory.ids import CountingIds
from studbook.adapters.memory.sampler import MemorySampler
from studbook.application.train_context import PruneTrial, TrainContext
from studbook.domain.run import RunStatus
from studbook.domain.run_events import RunReaped
from studbook.domain.run_view import RunView
from studbook.domain.search_space import choice, float_range
from studbook.domain.stage import Stage
from studbook.domain.study import StudyDefinition, maximize
from studbook.entrypoints.studbook import Studbook
from studbook.entrypoints.sweep_handle import Sweep
from studbook.ports.sampler import SampledStudy, TrialState

OpenBook = Callable[..., Studbook]


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


class Life:
    """Whether a process still lives; what it uses is `Mortal`."""

    def __init__(self) -> None:
        self.over = False
        self._end_threads: Callable[[], None] = lambda: None

    def of(self, book: Studbook) -> Studbook:
        """The book is used by the process: the threads that keep it alive end first, when the process does."""
        self._end_threads = book.container.keepalive().close
        return book

    def end(self) -> None:
        self._end_threads()
        self.over = True
        raise Killed


class Mortal:
    """Does nothing any more once the life is over."""

    def __init__(self, inner: object, life: Life) -> None:
        self._inner = inner
        self._life = life

    def __getattr__(self, name: str) -> Any:
        if self._life.over:
            raise Killed
        return getattr(self._inner, name)


class MortalSampler:
    """A sampler whose open studies die with the process."""

    def __init__(self, inner: MemorySampler, life: Life) -> None:
        self._inner = inner
        self._life = life

    def open(self, study: StudyDefinition, seed: int | None) -> SampledStudy:
        opened: Any = Mortal(self._inner.open(study, seed), self._life)
        opened.close = lambda: None
        return opened  # type: ignore[no-any-return]


def run_sweep(book: Studbook, train: Callable[[TrainContext], object], **changes: object) -> Sweep:
    said = {"space": {"x": float_range(0, 1)}, "objective": maximize("f1"), "trials": 3, **changes}
    return book.sweep("s", train, **said)  # type: ignore[arg-type]


def by_x(context: TrainContext) -> object:
    return context.params["x"]


def found(book: Studbook, stage: Stage) -> list[RunView]:
    runs = book.container.catalog().find([stage])
    return sorted(runs, key=lambda run: (run.trial_number or 0, run.attempt))


def dies(
    open_book: OpenBook, train: Callable[[TrainContext], object], life: Life, **changes: object
) -> MemorySampler:
    """A sweep in a process that is killed during `train`; what is left is the storage."""
    sampler = MemorySampler()
    log = Mortal(open_book().container.event_log(), life)
    doomed = life.of(open_book(event_log=log, sampler=MortalSampler(sampler, life)))
    with pytest.raises(Killed):
        run_sweep(doomed, train, **changes)
    life.over = False
    return sampler


# --- later sessions


def test_a_raised_number_of_trials_goes_on_in_the_next_session(book: Studbook) -> None:
    first = run_sweep(book, by_x, trials=2)
    second = run_sweep(book, by_x, trials=5)
    assert second.trials[:2] == first.trials
    assert [trial.number for trial in second.trials] == [0, 1, 2, 3, 4]
    assert [run.attempt for run in found(book, Stage.SWEEP)] == [1, 2]
    assert second.run_key != first.run_key
    parents = {run.trial_number: run.parent for run in found(book, Stage.TRIAL)}
    assert parents == {0: first.run_key, 1: first.run_key, **dict.fromkeys((2, 3, 4), second.run_key)}
    assert found(book, Stage.SWEEP)[1].params["session"] == "2"


def test_a_resume_draws_new_points(open_book: OpenBook) -> None:
    run_sweep(open_book(), by_x, trials=3)
    sweep = run_sweep(open_book(), by_x, trials=6)
    assert len({trial.params["x"] for trial in sweep.trials}) == 6


def test_the_best_value_goes_on_over_sessions(open_book: OpenBook) -> None:
    run_sweep(open_book(), lambda context: 0.9, trials=1)
    scores = iter([0.5, 0.95])
    sweep = run_sweep(open_book(), lambda context: next(scores), trials=3)
    assert sweep.best.number == 2
    book = open_book()
    second = found(book, Stage.SWEEP)[1]
    history = book.container.tracking_store().metric_history(second.run_id, "best_f1")
    assert [(point.step, point.value) for point in history] == [(3, 0.95)]


def test_another_book_gets_the_result_of_the_records(open_book: OpenBook) -> None:
    first = run_sweep(open_book(), by_x)
    again = run_sweep(open_book(), lambda context: pytest.fail("trained again"))
    assert again.run_key == first.run_key
    assert again.trials == first.trials


def test_the_newest_session_is_named_also_when_all_began_at_once(book: Studbook) -> None:
    for trials in range(1, 7):
        last = run_sweep(book, by_x, trials=trials)
    assert run_sweep(book, by_x, trials=6).run_key == last.run_key


# --- the study storage is lost


def test_a_lost_storage_is_rebuilt_with_states_values_and_numbers(open_book: OpenBook) -> None:
    ends: list[object] = [0.25, ValueError("no"), PruneTrial(), 0.75]

    def train(context: TrainContext) -> object:
        end = ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return end

    first = run_sweep(open_book(), train)
    sampler = MemorySampler()
    again = run_sweep(open_book(sampler=sampler), lambda context: pytest.fail("trained again"))
    assert [(t.number, t.state, t.values) for t in again.trials] == [
        (0, TrialState.COMPLETE, {"f1": 0.25}),
        (1, TrialState.FAILED, None),
        (2, TrialState.PRUNED, None),
        (3, TrialState.COMPLETE, {"f1": 0.75}),
    ]
    assert [t.run_key for t in again.trials] == [t.run_key for t in first.trials]
    assert again.trials[1].error == "ValueError: no"
    assert again.best.run_key == first.best.run_key
    told = sampler.open(first.study, None).trials()
    assert [each.values for each in told] == [(0.25,), None, None, (0.75,)]


def test_a_rebuilt_study_goes_on_with_the_next_number(open_book: OpenBook) -> None:
    run_sweep(open_book(), by_x, trials=2)
    sweep = run_sweep(open_book(sampler=MemorySampler()), by_x, trials=4)
    assert [trial.number for trial in sweep.trials] == [0, 1, 2, 3]
    assert [run.trial_number for run in found(open_book(), Stage.TRIAL)] == [0, 1, 2, 3]


def test_a_rebuilt_study_keeps_its_numbers_where_points_had_been_repeated(open_book: OpenBook) -> None:
    space = {"x": choice("a", "b")}
    scores = {"a": 0.25, "b": 0.75}

    def train(context: TrainContext) -> object:
        return scores[str(context.params["x"])]

    first = run_sweep(open_book(), train, space=space, trials=8)
    trained = {t.number: t.run_key for t in first.trials if t.duplicate_of is None}
    assert len(trained) == 2
    assert max(trained) > 1  # a repeated point lies between: otherwise another seed is needed
    again = run_sweep(open_book(sampler=MemorySampler()), train, space=space, trials=4)
    assert {
        t.number: t.run_key for t in again.trials if t.state is TrialState.COMPLETE and not t.duplicate_of
    } == (trained)
    assert {run.trial_number: run.ref for run in found(open_book(), Stage.TRIAL)} == trained
    assert again.result.counts()["complete"] == 2


def test_folds_come_back_from_the_store(open_book: OpenBook) -> None:
    def train(context: TrainContext) -> object:
        assert context.fold is not None
        return float(context.fold.index)

    first = run_sweep(open_book(), train, folds=2, n_samples=4)
    again = run_sweep(open_book(sampler=MemorySampler()), train, folds=2, n_samples=4)
    assert [t.folds for t in again.trials] == [({"f1": 0.0}, {"f1": 1.0})] * 3
    assert again.trials == first.trials


# --- a process died


def test_the_runs_of_a_dead_process_are_ended_as_lost(open_book: OpenBook, clock: ManualClock) -> None:
    life = Life()
    trained: list[int] = []

    def train(context: TrainContext) -> object:
        assert context.fold is not None
        clock.advance(10)
        trained.append(context.fold.index)
        context.log_metrics({"loss": 1.0})
        if len(trained) == 4:
            life.end()
        return 0.5

    sampler = dies(open_book, train, life, folds=2, n_samples=4)
    clock.advance(1000)
    book = open_book(sampler=sampler)
    assert [run.status for run in book.container.catalog().find_all()].count(RunStatus.RUNNING) == 3
    died_at = 1_700_000_000_000 + 40_000

    sweep = run_sweep(book, lambda context: 0.5, folds=2, n_samples=4)
    first, second = found(book, Stage.SWEEP)
    lost = [run for run in book.container.catalog().find_all() if run.end_reason == "lost"]
    assert {run.stage for run in lost} == {Stage.SWEEP, Stage.TRIAL, Stage.FOLD}
    assert {run.status for run in lost} == {RunStatus.KILLED}
    assert {run.trial_state for run in lost if run.stage is Stage.TRIAL} == {"FAILED"}
    ended = {run.stage: run.ended_at for run in lost}
    assert ended[Stage.FOLD] == died_at
    assert ended[Stage.TRIAL] == died_at - 10_000  # its first fold's score
    assert (first.status, second.status) == (RunStatus.KILLED, RunStatus.FINISHED)
    assert book.container.vocabulary().read("sweep.outcome", first.tags) is None
    assert [trial.state for trial in sweep.trials] == [
        TrialState.COMPLETE,
        TrialState.FAILED,
        TrialState.COMPLETE,
        TrialState.COMPLETE,
    ]
    reaped = [e.event for e in book.container.event_log().read() if isinstance(e.event, RunReaped)]
    assert [event.stage for event in reaped] == [Stage.FOLD, Stage.TRIAL, Stage.SWEEP]


def test_a_trial_that_was_never_told_is_settled_from_its_run(open_book: OpenBook) -> None:
    life = Life()
    sampler = MemorySampler()
    doomed = open_book(sampler=MortalSampler(sampler, life))
    ends: list[object] = [0.25, 0.75]

    def train(context: TrainContext) -> object:
        life.over = len(ends) == 1  # the storage is gone: the journal takes the end, the sampler does not
        return ends.pop(0)

    with pytest.raises(Killed):
        run_sweep(doomed, train, trials=5)
    book = open_book(sampler=sampler)
    assert [t.status for t in found(book, Stage.TRIAL)] == [RunStatus.FINISHED] * 2
    sweep = run_sweep(book, lambda context: pytest.fail("trained again"), trials=2)
    assert [(t.state, t.values) for t in sweep.trials] == [
        (TrialState.COMPLETE, {"f1": 0.25}),
        (TrialState.COMPLETE, {"f1": 0.75}),
    ]
    assert sweep.trials[1].run_key == found(book, Stage.TRIAL)[1].ref


def test_a_point_that_was_asked_for_but_never_begun_is_failed(open_book: OpenBook) -> None:
    sampler = MemorySampler()
    book = open_book(sampler=sampler)
    study = run_sweep(book, by_x, trials=1).study
    sampler.open(study, 99).ask()
    sweep = run_sweep(book, by_x, trials=2)
    assert [trial.state for trial in sweep.trials] == [
        TrialState.COMPLETE,
        TrialState.FAILED,
        TrialState.COMPLETE,
    ]


def test_an_attempt_that_was_lost_is_followed_by_the_next(open_book: OpenBook) -> None:
    life = Life()
    space = {"x": choice("only")}

    def train(context: TrainContext) -> object:
        life.end()
        return 0.5

    sampler = dies(open_book, train, life, space=space, trials=1)
    sweep = run_sweep(open_book(sampler=sampler), lambda context: 0.5, space=space, trials=1)
    assert [(t.attempt, t.state) for t in sweep.trials] == [
        (1, TrialState.FAILED),
        (2, TrialState.COMPLETE),
    ]


def test_runs_of_another_home_are_left_alone(open_book: OpenBook) -> None:
    life = Life()

    def train(context: TrainContext) -> object:
        life.end()
        return 0.5

    dies(open_book, train, life)
    open_book().flush()
    elsewhere = open_book(
        sampler=MemorySampler(),
        ledger=MemoryDeliveryLedger(),
        event_log=MemoryEventLog(ManualClock(), CountingIds()),
    )
    run_sweep(elsewhere, by_x)
    open_runs = [run for run in elsewhere.container.catalog().find_all() if run.status is RunStatus.RUNNING]
    assert {run.stage for run in open_runs} == {Stage.SWEEP, Stage.TRIAL}
    assert [run.attempt for run in found(elsewhere, Stage.SWEEP)] == [1, 2]


def test_nothing_is_done_twice_when_the_executor_only_asks(open_book: OpenBook) -> None:
    """A process that dies between the journal's RunStarted and the training leaves a RUNNING trial."""

    class Dying(InProcessExecutor):
        def run(self, next_task: Callable[[], Callable[[], None] | None], workers: int) -> None:
            next_task()
            life.end()

    life = Life()
    sampler = MemorySampler()
    log = open_book().container.event_log()
    mortal = {"event_log": Mortal(log, life), "sampler": MortalSampler(sampler, life)}
    doomed = life.of(open_book(**mortal, executor=Dying()))
    with pytest.raises(Killed):
        run_sweep(doomed, by_x)
    life.over = False
    book = open_book(sampler=sampler)
    sweep = run_sweep(book, by_x)
    assert [trial.state for trial in sweep.trials] == [TrialState.FAILED, *[TrialState.COMPLETE] * 3]
    assert [run.status for run in found(book, Stage.TRIAL)] == [RunStatus.KILLED, *[RunStatus.FINISHED] * 3]
