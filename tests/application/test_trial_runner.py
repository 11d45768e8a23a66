"""How trials end: status, reason, and what their runs hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import pytest

from studbook.application.train_context import PruneTrial, TrainContext
from studbook.domain.errors import SweepFailed
from studbook.domain.run import EndReason, RunStatus
from studbook.domain.run_view import RunView
from studbook.domain.search_events import TrialFailed, TrialPruned
from studbook.domain.search_space import fixed, float_range, int_range
from studbook.domain.stage import Stage
from studbook.domain.study import Pruning, SeedPolicy, maximize, minimize
from studbook.entrypoints.studbook import Studbook
from studbook.entrypoints.sweep_handle import Sweep
from studbook.ports.sampler import TrialState

SPACE = {"x": float_range(0, 1)}


def one_trial(book: Studbook, train: Callable[[TrainContext], object], **changes: object) -> Sweep:
    """A sweep of one trial; when it fails, the sweep ends as failed."""
    said = {"space": SPACE, "objective": maximize("f1"), "trials": 1, "max_failed_trials": 2, **changes}
    return book.sweep("s", train, **said)  # type: ignore[arg-type]  # any result, to see it judged


def trial_runs(book: Studbook) -> tuple[RunView, ...]:
    return book.container.catalog().find([Stage.TRIAL])


def failing(book: Studbook, train: Callable[[TrainContext], object], **changes: object) -> RunView:
    with pytest.raises(SweepFailed):
        one_trial(book, train, max_failed_trials=1, **changes)
    [run] = trial_runs(book)
    return run


def test_a_scored_trial_is_complete_and_finished(book: Studbook) -> None:
    sweep = one_trial(book, lambda context: {"f1": 0.5, "loss": 2.0})
    [run] = trial_runs(book)
    assert (run.status, run.trial_state, run.end_reason, run.error) == (
        RunStatus.FINISHED,
        "COMPLETE",
        None,
        None,
    )
    assert run.metrics == {"f1": 0.5, "loss": 2.0}
    [trial] = sweep.trials
    assert (trial.state, trial.values, trial.run_key) == (TrialState.COMPLETE, {"f1": 0.5}, run.ref)


def test_the_run_holds_every_parameter_by_its_own_name(book: Studbook) -> None:
    space = {"x": float_range(0.25, 0.5, step=0.25), "n": int_range(1, 3), "kind": fixed("svm")}
    sweep = one_trial(book, lambda context: 0.5, space=space)
    [run] = trial_runs(book)
    stored = book.container.tracking_store().get_run(run.run_id)
    assert stored.params == {name: str(value) for name, value in sweep.best.params.items()}
    assert run.params == sweep.best.params
    assert (run.trial_number, run.attempt) == (0, 1)
    assert run.trial_key == sweep.best.trial_key
    assert (run.study_key, run.family_key) == (sweep.study.key, sweep.study.family_key)
    assert run.objectives == (("f1", "maximize"),)


def test_an_exception_makes_the_trial_failed_with_its_text(book: Studbook) -> None:
    def train(context: TrainContext) -> float:
        raise ValueError("no such kernel\nmore")

    run = failing(book, train)
    assert (run.status, run.trial_state, run.end_reason, run.error) == (
        RunStatus.FAILED,
        "FAILED",
        "error",
        "ValueError: no such kernel",
    )
    [event] = [e.event for e in book.container.event_log().read() if isinstance(e.event, TrialFailed)]
    assert (event.number, event.reason) == (0, "error")


@pytest.mark.parametrize("folds", [None, 2])
@pytest.mark.parametrize(
    ("returned", "reason", "text"),
    [
        (math.nan, EndReason.NON_FINITE_OBJECTIVE, "f1 is nan"),
        ({"f1": math.inf, "loss": 1.0}, EndReason.NON_FINITE_OBJECTIVE, "f1 is inf"),
        ({"loss": 1.0}, EndReason.MISSING_OBJECTIVE, "reported: 'loss'"),
        (None, EndReason.MISSING_OBJECTIVE, "returned NoneType"),
        ("0.9", EndReason.MISSING_OBJECTIVE, "returned str"),
        ([0.9], EndReason.MISSING_OBJECTIVE, "list"),
        ({"f1": "0.9"}, EndReason.MISSING_OBJECTIVE, "str"),
    ],
)
def test_a_result_that_decides_nothing_fails_the_trial_with_the_reason(
    book: Studbook, returned: object, reason: EndReason, text: str, folds: int | None
) -> None:
    run = failing(book, lambda context: returned, folds=folds, n_samples=6 if folds else None)
    assert (run.status, run.trial_state, run.end_reason) == (RunStatus.FAILED, "FAILED", reason)
    assert text in (run.error or "")
    assert "f1" not in run.metrics


def test_the_trial_can_be_given_up_by_the_function(book: Studbook) -> None:
    def train(context: TrainContext) -> float:
        context.report(0.25, 1)
        context.report(0.5, 3)
        raise PruneTrial

    sweep = one_trial(book, train)
    [run] = trial_runs(book)
    assert (run.status, run.end_reason, run.trial_state) == (RunStatus.KILLED, "pruned", "PRUNED")
    assert run.metrics == {"intermediate_f1": 0.5, "pruned_at_step": 3.0}
    assert sweep.trials[0].state is TrialState.PRUNED
    [event] = [e.event for e in book.container.event_log().read() if isinstance(e.event, TrialPruned)]
    assert (event.step, event.last_value) == (3, 0.5)


def test_the_pruner_sees_each_report_of_a_trial_without_folds(book: Studbook) -> None:
    asked: list[bool] = []

    def train(context: TrainContext) -> float:
        for step in range(3):
            context.report(float(-len(asked)), step)
            asked.append(context.should_prune())
            if asked[-1]:
                raise PruneTrial
        return 0.5

    pruner = Pruning(algorithm="median", options={"n_startup_trials": 1})
    sweep = one_trial(book, train, trials=2, pruner=pruner)
    assert asked == [False, False, False, True]
    assert [t.state for t in sweep.trials] == [TrialState.COMPLETE, TrialState.PRUNED]


def test_reports_are_recorded_with_their_steps(book: Studbook) -> None:
    def train(context: TrainContext) -> float:
        context.report(0.25, 1)
        context.report(0.5, 4)
        return 0.75

    one_trial(book, train)
    [run] = trial_runs(book)
    history = book.container.tracking_store().metric_history(run.run_id, "intermediate_f1")
    assert [(point.step, point.value) for point in history] == [(1, 0.25), (4, 0.5)]


@pytest.mark.parametrize(
    "reports", [[(0.5, 2), (0.6, 2)], [(0.5, 2), (0.6, 1)], [(math.nan, 1)], [(math.inf, 1)]]
)
def test_reports_must_be_finite_with_increasing_steps(
    book: Studbook, reports: list[tuple[float, int]]
) -> None:
    def train(context: TrainContext) -> float:
        for value, step in reports:
            context.report(value, step)
        return 0.5

    run = failing(book, train)
    assert run.end_reason == "error"
    assert (run.error or "").startswith("MetricValueInvalid: report(")


def test_the_final_value_wins_over_what_was_logged_under_its_name(book: Studbook) -> None:
    def train(context: TrainContext) -> Mapping[str, float]:
        context.log_metrics({"f1": 0.1, "loss": 3.0}, step=9)
        return {"f1": 0.5}

    one_trial(book, train)
    [run] = trial_runs(book)
    assert run.metrics == {"f1": 0.5, "loss": 3.0}


def test_derived_names_are_reserved_on_a_trial(book: Studbook) -> None:
    def train(context: TrainContext) -> float:
        context.log_metrics({"f1_std": 0.1})
        return 0.5

    assert "MetricNameInvalid" in (failing(book, train).error or "")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (SystemExit(3), "SystemExit: 3"),
        (SystemExit(0), "SystemExit: 0"),
    ],
)
@pytest.mark.parametrize("folds", [None, 2])
def test_an_interruption_kills_fold_trial_and_sweep_and_passes_on(
    book: Studbook, error: BaseException, text: str, folds: int | None
) -> None:
    def train(context: TrainContext) -> float:
        raise error

    with pytest.raises(type(error)):
        one_trial(book, train, folds=folds, n_samples=4 if folds else None)
    runs = book.container.catalog().find([Stage.SWEEP, Stage.TRIAL, Stage.FOLD])
    assert {run.stage for run in runs} >= {Stage.SWEEP, Stage.TRIAL}
    assert len(runs) == (3 if folds else 2)
    for run in runs:
        assert (run.status, run.end_reason, run.error) == (RunStatus.KILLED, "interrupted", text)
    [trial] = [run for run in runs if run.stage is Stage.TRIAL]
    assert trial.trial_state == "FAILED"
    [sweep] = [run for run in runs if run.stage is Stage.SWEEP]
    assert book.container.vocabulary().read("sweep.outcome", sweep.tags) == "interrupted"


def test_running_out_of_memory_ends_the_sweep_at_once(book: Studbook) -> None:
    calls: list[int] = []

    def train(context: TrainContext) -> float:
        calls.append(1)
        raise MemoryError

    with pytest.raises(MemoryError):
        one_trial(book, train, trials=5)
    assert len(calls) == 1
    assert {run.status for run in book.container.catalog().find_all()} == {RunStatus.FAILED}


def test_several_objectives_are_values_in_declared_order(book: Studbook) -> None:
    sweep = one_trial(
        book, lambda context: {"loss": 2.0, "f1": 0.5}, objective=[maximize("f1"), minimize("loss")]
    )
    assert list((sweep.trials[0].values or {}).items()) == [("f1", 0.5), ("loss", 2.0)]


def test_a_seed_policy_of_none_gives_no_seed(book: Studbook) -> None:
    seeds: list[int | None] = []

    def train(context: TrainContext) -> float:
        seeds.append(context.seed)
        return 0.5

    one_trial(book, train, seed=SeedPolicy.none())
    assert seeds == [None]


def test_the_files_of_a_trial_do_not_outlive_it(book: Studbook) -> None:
    seen = []

    def train(context: TrainContext) -> float:
        (context.output_dir / "weights.bin").write_bytes(b"x")
        seen.append(context.output_dir)
        return 0.5

    one_trial(book, train, trials=2)
    assert len(set(seen)) == 2
    assert not any(folder.exists() for folder in seen)
