"""How a session chooses what to train: repeated points, workers, seeds, and when it is stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.memory.delivery_ledger import MemoryDeliveryLedger
from studbook.adapters.memory.event_log import MemoryEventLog
from studbook.adapters.memory.ids import CountingIds
from studbook.adapters.memory.sampler import MemorySampler
from studbook.adapters.memory.tracking_store import MemoryTrackingStore
from studbook.application.study_history import StudyHistory
from studbook.application.sweep_session import SweepRequest, SweepSession
from studbook.application.train_context import PruneTrial, TrainContext
from studbook.domain.errors import JournalError, SweepFailed
from studbook.domain.run import RunStatus
from studbook.domain.run_view import RunView
from studbook.domain.search_events import TrialCompleted, TrialPruned
from studbook.domain.search_space import choice, float_range
from studbook.domain.seeds import trial_seed
from studbook.domain.stage import Stage
from studbook.domain.study import SeedPolicy, StudyDefinition, maximize
from studbook.domain.vocabulary import DEFAULT_VOCABULARY
from studbook.entrypoints.studbook import Studbook
from studbook.entrypoints.sweep_handle import Sweep
from studbook.ports.sampler import TrialState

ONE_POINT = {"x": choice("only")}
LINE = {"x": float_range(0, 1)}


def run_sweep(book: Studbook, train: Callable[[TrainContext], float], **changes: object) -> Sweep:
    said = {"space": ONE_POINT, "objective": maximize("f1"), "trials": 3, **changes}
    return book.sweep("s", train, **said)  # type: ignore[arg-type]


def trial_runs(book: Studbook) -> tuple[RunView, ...]:
    return tuple(sorted(book.container.catalog().find([Stage.TRIAL]), key=lambda run: run.trial_number or 0))


# --- repeated points


def test_a_point_that_is_complete_is_not_trained_again(book: Studbook) -> None:
    calls: list[int] = []

    def train(context: TrainContext) -> float:
        calls.append(1)
        return 0.5

    sweep = run_sweep(book, train)
    assert len(calls) == 1
    first, *repeats = sweep.trials
    assert [(t.state, t.values, t.duplicate_of, t.run_key) for t in repeats] == [
        (TrialState.COMPLETE, {"f1": 0.5}, first.run_key, first.run_key)
    ] * 2
    assert len(trial_runs(book)) == 1
    events = [e for e in book.container.event_log().read() if isinstance(e.event, TrialCompleted)]
    assert [(e.run_key, e.event.duplicate_of) for e in events if isinstance(e.event, TrialCompleted)] == [
        (first.run_key, None),
        (sweep.run_key, first.run_key),
        (sweep.run_key, first.run_key),
    ]
    assert sweep.result.counts() == {"total": 3, "complete": 1, "pruned": 0, "failed": 0, "duplicate": 2}
    assert sweep.best is first
    told = book.container.sampler().open(sweep.study, None).trials()
    assert [each.values for each in told] == [(0.5,)] * 3
    assert told[1].attributes["duplicate_of"] == first.run_key


def test_a_point_that_was_pruned_is_not_trained_again(book: Studbook) -> None:
    def train(context: TrainContext) -> float:
        raise PruneTrial

    sweep = run_sweep(book, train)
    assert [t.state for t in sweep.trials] == [TrialState.PRUNED] * 3
    assert len(trial_runs(book)) == 1
    events = [e.event for e in book.container.event_log().read() if isinstance(e.event, TrialPruned)]
    assert [event.duplicate_of for event in events] == [None, *[sweep.trials[0].run_key] * 2]
    assert sweep.result.outcome == "completed"


def test_a_point_that_failed_is_trained_as_its_next_attempt(book: Studbook) -> None:
    errors = [ValueError("first"), ValueError("second")]

    def train(context: TrainContext) -> float:
        if errors:
            raise errors.pop(0)
        return 0.5

    sweep = run_sweep(book, train, trials=1, max_failed_trials=9)
    assert [(run.attempt, str(run.status)) for run in trial_runs(book)] == [
        (1, "FAILED"),
        (2, "FAILED"),
        (3, "FINISHED"),
    ]
    assert sweep.best.attempt == 3
    assert len({run.trial_key for run in trial_runs(book)}) == 1
    assert len({run.ref for run in trial_runs(book)}) == 3


def test_after_three_failed_attempts_a_point_is_told_as_failed(book: Studbook) -> None:
    calls: list[int] = []

    def train(context: TrainContext) -> float:
        calls.append(1)
        raise ValueError("always")

    with pytest.raises(SweepFailed, match="ValueError: always"):
        run_sweep(book, train, max_failed_trials=9)
    assert len(calls) == 3
    [run] = book.container.catalog().find([Stage.SWEEP])
    assert run.metrics.items() >= {"trials_failed": 5.0, "trials_duplicate": 0.0}.items()


def test_with_rerun_every_proposal_is_an_attempt_of_its_own(book: Studbook) -> None:
    scores = iter([0.5, 0.75, 0.25])
    sweep = run_sweep(book, lambda context: next(scores), duplicates="rerun")
    assert [(t.attempt, t.values, t.duplicate_of) for t in sweep.trials] == [
        (1, {"f1": 0.5}, None),
        (2, {"f1": 0.75}, None),
        (3, {"f1": 0.25}, None),
    ]
    assert [run.attempt for run in trial_runs(book)] == [1, 2, 3]


def test_attempts_go_on_after_a_session_that_reused(book: Studbook) -> None:
    run_sweep(book, lambda context: 0.5, trials=2)
    sweep = run_sweep(book, lambda context: 0.75, trials=3, duplicates="rerun")
    assert [trial.attempt for trial in sweep.trials] == [1, 1, 2]
    assert sweep.best.number == 2


# --- workers


def test_workers_train_side_by_side(book: Studbook) -> None:
    meeting = threading.Barrier(4, timeout=20)

    def train(context: TrainContext) -> float:
        meeting.wait()
        return 0.5

    sweep = run_sweep(book, train, space=LINE, trials=8, workers=4)
    assert sweep.result.counts()["complete"] == 8
    assert sorted(run.trial_number or 0 for run in trial_runs(book)) == list(range(8))
    assert {run.status for run in trial_runs(book)} == {RunStatus.FINISHED}


def test_workers_train_no_more_trials_than_asked_for(book: Studbook) -> None:
    calls: list[int] = []

    def train(context: TrainContext) -> float:
        calls.append(1)
        return 0.5

    sweep = run_sweep(book, train, space=LINE, trials=5, workers=4)
    assert len(calls) == len(sweep.trials) == 5


def test_failing_trials_are_made_up_for_by_workers(book: Studbook) -> None:
    lock = threading.Lock()
    numbers = iter(range(100))

    def train(context: TrainContext) -> float:
        with lock:
            number = next(numbers)
        if number % 2:
            raise ValueError("every other")
        return 0.5

    sweep = run_sweep(
        book,
        train,
        space=LINE,
        trials=6,
        workers=3,
        max_failed_trials=50,
        max_consecutive_failures=50,
    )
    counts = sweep.result.counts()
    assert counts["complete"] == 6
    assert counts["failed"] >= 5
    assert {run.status for run in trial_runs(book)} == {RunStatus.FINISHED, RunStatus.FAILED}


def test_workers_end_a_sweep_of_failures(book: Studbook) -> None:
    def train(context: TrainContext) -> float:
        raise ValueError("always")

    with pytest.raises(SweepFailed):
        run_sweep(book, train, space=LINE, trials=20, workers=4)
    runs = trial_runs(book)
    assert 5 <= len(runs) <= 8
    assert {run.status for run in runs} == {RunStatus.FAILED}


def test_the_same_point_twice_at_once_is_two_attempts(book: Studbook) -> None:
    meeting = threading.Barrier(2, timeout=20)

    def train(context: TrainContext) -> float:
        meeting.wait()
        return 0.5

    sweep = run_sweep(book, train, trials=2, workers=2)
    assert sorted(trial.attempt for trial in sweep.trials) == [1, 2]
    assert len({run.ref for run in trial_runs(book)}) == 2


def test_an_interruption_of_a_worker_ends_the_sweep_without_further_trials(book: Studbook) -> None:
    lock = threading.Lock()
    numbers = iter(range(100))
    started = threading.Barrier(3, timeout=20)

    def train(context: TrainContext) -> float:
        with lock:
            number = next(numbers)
        started.wait()
        if number == 1:
            raise KeyboardInterrupt
        return 0.5

    with pytest.raises(KeyboardInterrupt):
        run_sweep(book, train, space=LINE, trials=3, workers=3)
    assert sorted(str(run.status) for run in trial_runs(book)) == ["FINISHED", "FINISHED", "KILLED"]
    [sweep] = book.container.catalog().find([Stage.SWEEP])
    assert (sweep.status, sweep.end_reason) == (RunStatus.KILLED, "interrupted")


def test_an_error_of_a_strict_journal_is_no_trial_that_failed(open_book: Callable[..., Studbook]) -> None:
    book = open_book({"journal.strict": True})
    log = book.container.event_log()
    append = log.append

    def full(*happenings: object) -> object:
        kinds = [happening.event.kind for happening in happenings]  # type: ignore[attr-defined]
        if "TrialCompleted" in kinds:
            raise JournalError("no space left", cure="free some")
        return append(*happenings)

    log.append = full
    for workers in (1, 2):
        with pytest.raises(JournalError, match="no space left"):
            run_sweep(book, lambda context: 0.5, space=LINE, trials=3, workers=workers, revision=str(workers))


def test_a_sweep_goes_on_while_the_journal_takes_nothing(book: Studbook) -> None:
    log = book.container.event_log()
    append = log.append
    failures = 0

    def full(*happenings: object) -> object:
        nonlocal failures
        if failures < 5:
            failures += 1
            raise JournalError("no space left", cure="free some")
        return append(*happenings)

    log.append = full
    run_sweep(book, lambda context: 0.5, space=LINE, trials=3)
    assert failures == 5
    assert book.container.recorder().lost == 0
    assert [str(run.status) for run in trial_runs(book)] == ["FINISHED"] * 3


# --- seeds


def test_seeds_and_points_are_the_same_in_every_home(open_book: Callable[..., Studbook]) -> None:
    def elsewhere() -> Studbook:
        return open_book(
            sampler=MemorySampler(),
            tracking_store=MemoryTrackingStore(run_key_tag=DEFAULT_VOCABULARY.key("run.key")),
            ledger=MemoryDeliveryLedger(),
            event_log=MemoryEventLog(ManualClock(), CountingIds()),
        )

    def drawn(book: Studbook, base: int) -> list[tuple[object, int | None]]:
        seen: list[tuple[object, int | None]] = []

        def train(context: TrainContext) -> float:
            seen.append((context.params["x"], context.seed))
            return 0.5

        sweep = run_sweep(book, train, space=LINE, seed=base)
        assert [seed for _, seed in seen] == [
            trial_seed(SeedPolicy.derived(base), trial.trial_key) for trial in sweep.trials
        ]
        return seen

    first = drawn(elsewhere(), 7)
    assert drawn(elsewhere(), 7) == first
    assert set(drawn(elsewhere(), 8)).isdisjoint(first)


def test_a_fixed_seed_is_the_seed_of_every_trial(book: Studbook) -> None:
    seeds: list[int | None] = []

    def train(context: TrainContext) -> float:
        seeds.append(context.seed)
        return 0.5

    run_sweep(book, train, space=LINE, seed=SeedPolicy.fixed(11))
    assert seeds == [11, 11, 11]


def test_attempts_of_a_trial_repeat_its_seed(book: Studbook) -> None:
    seeds: list[int | None] = []

    def train(context: TrainContext) -> float:
        seeds.append(context.seed)
        return 0.5

    run_sweep(book, train, duplicates="rerun")
    assert len(seeds) == 3
    assert len(set(seeds)) == 1


# --- stopping


def test_a_stopped_session_asks_for_nothing_more(book: Studbook, clock: ManualClock, tmp_path: Path) -> None:
    container = book.container
    study = StudyDefinition.parse({"name": "s", "objectives": maximize("f1"), "search_space": LINE})
    sweep = book.run("s", stage="hpo_sweep")
    session: SweepSession

    def train(context: TrainContext) -> float:
        session.stop()
        return 0.5

    session = SweepSession(
        SweepRequest(study, train, trials=5),
        container.sampler().open(study, 1),
        StudyHistory((), ()),
        sweep.key,
        sweep.experiment,
        runner=container.trial_runner(),
        recorder=container.recorder(),
        opening=container.opening(),
        clock=clock,
        work_dir=tmp_path,
    )
    container.executor().run(session.next_task, 1)
    assert session.outcome == "stopped"
    assert [trial.state for trial in session.trials] == [TrialState.COMPLETE]
