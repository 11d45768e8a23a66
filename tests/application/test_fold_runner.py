"""Folds: their runs, their proof, their numbers on the trial, and when they are not trained."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping

import pytest
from structlog.testing import capture_logs

from studbook.application.train_context import PruneTrial, TrainContext
from studbook.domain.errors import SweepFailed
from studbook.domain.folds import make_folds
from studbook.domain.run import RunStatus
from studbook.domain.run_view import RunView
from studbook.domain.search_events import FoldScored
from studbook.domain.search_space import choice, float_range
from studbook.domain.seeds import fold_seed
from studbook.domain.stage import Stage
from studbook.domain.study import Pruning, SeedPolicy, maximize, minimize
from studbook.domain.trial import fold_key
from studbook.domain.validation import KFold
from studbook.entrypoints.studbook import Studbook
from studbook.entrypoints.sweep_handle import Sweep
from studbook.ports.sampler import TrialState

FOLDS = make_folds(KFold(count=3), 9)
SCORES = (0.5, 0.75, 0.625)


def sweep_folds(book: Studbook, train: Callable[[TrainContext], object], **changes: object) -> Sweep:
    said: dict[str, object] = {
        "space": {"x": float_range(0, 1)},
        "objective": maximize("f1"),
        "trials": 1,
        "folds": 3,
        "n_samples": 9,
        **changes,
    }
    return book.sweep("s", train, **said)  # type: ignore[arg-type]  # any result, to see it judged


def scores(context: TrainContext) -> Mapping[str, float]:
    assert context.fold is not None
    _ = context.fold.train
    return {"f1": SCORES[context.fold.index], "loss": float(context.fold.index)}


def runs(book: Studbook, stage: Stage) -> tuple[RunView, ...]:
    return book.container.catalog().find([stage])


def scored_folds(book: Studbook) -> list[FoldScored]:
    return [e.event for e in book.container.event_log().read() if isinstance(e.event, FoldScored)]


def test_each_fold_is_a_finished_run_below_its_trial(book: Studbook) -> None:
    sweep = sweep_folds(book, scores)
    [trial] = runs(book, Stage.TRIAL)
    folds = runs(book, Stage.FOLD)
    assert [(run.parent, run.status, run.experiment) for run in folds] == [
        (trial.ref, RunStatus.FINISHED, trial.experiment)
    ] * 3
    by_index = {run.params["fold_index"]: run for run in folds}
    vocabulary = book.container.vocabulary()
    key = sweep.best.trial_key
    for fold in FOLDS:
        run = by_index[str(fold.index)]
        assert run.params == {
            "fold_index": str(fold.index),
            "fold_count": "3",
            "train_size": "6",
            "validation_size": "3",
            "seed": str(fold_seed(SeedPolicy.derived(0), key, fold.index)),
        }
        assert run.metrics == {"f1": SCORES[fold.index], "loss": float(fold.index)}
        assert vocabulary.read("fold.digest", run.tags) == fold.digest
        assert vocabulary.read("fold.index", run.tags) == fold.index
        assert vocabulary.read("fold.key", run.tags) == fold_key(key, fold.index, fold.digest)
        assert (run.trial_key, run.trial_number, run.family) == (key, 0, "s")


def test_the_trial_holds_the_aggregates_of_its_folds(book: Studbook) -> None:
    sweep = sweep_folds(book, scores)
    [trial] = runs(book, Stage.TRIAL)
    std = statistics.stdev(SCORES)
    assert trial.metrics == pytest.approx(
        {
            "f1": 0.625,
            "f1_std": std,
            "f1_se": std / math.sqrt(3),
            "f1_fold_0": 0.5,
            "f1_fold_1": 0.75,
            "f1_fold_2": 0.625,
            "intermediate_f1": 0.625,
            "loss": 1.0,
            "folds_scored": 3.0,
        }
    )
    assert trial.folds == SCORES
    assert sweep.best.folds == tuple({"f1": score} for score in SCORES)


@pytest.mark.parametrize(
    ("how", "objective", "value"),
    [
        ("mean", maximize, 0.625),
        ("median", maximize, 0.625),
        ("worst", maximize, 0.5),
        ("worst", minimize, 0.75),
    ],
)
def test_the_value_of_a_trial_is_the_studys_aggregate(
    book: Studbook, how: str, objective: Callable[[str], object], value: float
) -> None:
    sweep = sweep_folds(book, scores, fold_aggregate=how, objective=objective("f1"))
    assert sweep.best.values == {"f1": value}


def test_a_metric_that_some_folds_did_not_report_has_no_mean(book: Studbook) -> None:
    def train(context: TrainContext) -> Mapping[str, float]:
        assert context.fold is not None
        extra = {"late": 1.0} if context.fold.index else {}
        return {"f1": 0.5, "always": 2.0, **extra}

    sweep_folds(book, train)
    [trial] = runs(book, Stage.TRIAL)
    assert trial.metrics["always"] == 2.0
    assert "late" not in trial.metrics


def test_what_is_computed_wins_over_a_metric_of_that_name(book: Studbook) -> None:
    sweep_folds(book, lambda context: {**scores(context), "f1_std": 99.0})
    [trial] = runs(book, Stage.TRIAL)
    assert trial.metrics["f1_std"] == pytest.approx(statistics.stdev(SCORES))


def test_each_fold_is_trained_on_its_own_rows_with_its_own_seed_and_folder(book: Studbook) -> None:
    seen = []

    def train(context: TrainContext) -> float:
        assert context.fold is not None
        assert (context.fold.count, context.budget) == (3, None)
        seen.append((context.fold.train, context.fold.validation, context.seed, context.output_dir))
        return 0.5

    sweep = sweep_folds(book, train, seed=7)
    assert [(s[0], s[1]) for s in seen] == [(fold.train, fold.validation) for fold in FOLDS]
    key = sweep.best.trial_key
    assert [s[2] for s in seen] == [fold_seed(SeedPolicy.derived(7), key, i) for i in range(3)]
    assert len({s[3] for s in seen}) == 3


def test_a_failing_fold_fails_the_trial_and_the_others_are_not_started(book: Studbook) -> None:
    trained = []

    def train(context: TrainContext) -> float:
        assert context.fold is not None
        trained.append(context.fold.index)
        if context.fold.index == 1:
            raise ValueError("diverged")
        return 0.5

    with pytest.raises(SweepFailed):
        sweep_folds(book, train, max_failed_trials=1)
    assert trained == [0, 1]
    [trial] = runs(book, Stage.TRIAL)
    assert (trial.status, trial.end_reason, trial.error) == (
        RunStatus.FAILED,
        "error",
        "ValueError: diverged",
    )
    folds = runs(book, Stage.FOLD)
    assert {(f.params["fold_index"], str(f.status), f.end_reason, f.error) for f in folds} == {
        ("0", "FINISHED", None, None),
        ("1", "FAILED", "error", "ValueError: diverged"),
    }
    assert trial.metrics["f1_fold_0"] == 0.5
    assert "f1" not in trial.metrics


def test_a_scored_fold_carries_the_digest_of_the_split_that_was_used(book: Studbook) -> None:
    with capture_logs() as logs:
        sweep_folds(book, scores)
    assert [fold.digest for fold in scored_folds(book)] == [fold.digest for fold in FOLDS]
    assert logs == []


def test_a_fold_that_used_another_split_is_a_mismatch(book: Studbook) -> None:
    def train(context: TrainContext) -> float:
        assert context.fold is not None
        context.fold.indices(8)
        return 0.5

    with pytest.raises(SweepFailed):
        sweep_folds(book, train, max_failed_trials=1)
    [trial] = runs(book, Stage.TRIAL)
    [fold] = runs(book, Stage.FOLD)
    for run in (trial, fold):
        assert (run.status, run.end_reason) == (RunStatus.FAILED, "split_mismatch")
        assert "fold 0" in (run.error or "")


def test_a_fold_that_asked_for_no_split_counts_with_a_warning(book: Studbook) -> None:
    with capture_logs() as logs:
        sweep = sweep_folds(book, lambda context: 0.5)
    assert sweep.best.values == {"f1": 0.5}
    warned = [(log["event"], log["log_level"], log["fold"]) for log in logs]
    assert warned == [("FOLD_UNVERIFIED", "warning", index) for index in range(3)]
    assert {fold.digest for fold in scored_folds(book)} == {None}


def test_without_data_the_function_computes_the_planned_split(book: Studbook) -> None:
    def train(context: TrainContext) -> float:
        assert context.fold is not None
        return float(context.fold.indices(9)[0] == FOLDS[context.fold.index].train)

    sweep = sweep_folds(book, train, n_samples=None)
    assert sweep.best.values == {"f1": 1.0}
    assert [fold.digest for fold in scored_folds(book)] == [fold.digest for fold in FOLDS]


def test_explicit_splits_are_handed_out_as_given(book: Studbook) -> None:
    pairs = [([0, 1], [2, 3]), ([2, 3], [0, 1])]
    seen = []

    def train(context: TrainContext) -> float:
        assert context.fold is not None
        seen.append((list(context.fold.train), list(context.fold.validation)))
        return 0.5

    sweep_folds(book, train, folds=pairs, n_samples=None)
    assert seen == pairs


def test_the_pruner_judges_between_folds_on_the_running_mean(book: Studbook) -> None:
    trained: list[tuple[int, int]] = []

    def train(context: TrainContext) -> float:
        assert context.fold is not None
        assert not context.should_prune()
        number = sum(1 for _, index in trained if index == 0) - (context.fold.index > 0)
        trained.append((number, context.fold.index))
        return 0.9 if number == 0 else 0.1

    pruner = Pruning(algorithm="median", options={"n_startup_trials": 1})
    sweep = sweep_folds(book, train, trials=2, pruner=pruner)
    assert trained == [(0, 0), (0, 1), (0, 2), (1, 0)]
    assert [trial.state for trial in sweep.trials] == [TrialState.COMPLETE, TrialState.PRUNED]
    pruned = next(run for run in runs(book, Stage.TRIAL) if run.trial_number == 1)
    assert (pruned.status, pruned.end_reason) == (RunStatus.KILLED, "pruned")
    assert pruned.metrics == {
        "f1_fold_0": 0.1,
        "intermediate_f1": 0.1,
        "pruned_at_step": 1.0,
        "folds_scored": 1.0,
    }
    assert {run.status for run in runs(book, Stage.FOLD)} == {RunStatus.FINISHED}


def test_a_trial_with_all_folds_scored_is_complete_however_bad(book: Studbook) -> None:
    values = iter([0.9] * 3 + [0.1] * 3)
    only_after_the_last = Pruning(algorithm="median", options={"n_startup_trials": 1, "n_warmup_steps": 3})
    sweep = sweep_folds(book, lambda context: next(values), trials=2, pruner=only_after_the_last)
    assert [trial.state for trial in sweep.trials] == [TrialState.COMPLETE] * 2


def test_the_running_mean_is_recorded_after_each_fold(book: Studbook) -> None:
    sweep_folds(book, scores)
    [trial] = runs(book, Stage.TRIAL)
    history = book.container.tracking_store().metric_history(trial.run_id, "intermediate_f1")
    assert [(point.step, point.value) for point in history] == [(1, 0.5), (2, 0.625), (3, 0.625)]


def test_giving_up_inside_a_fold_is_a_failure(book: Studbook) -> None:
    def train(context: TrainContext) -> float:
        raise PruneTrial

    with pytest.raises(SweepFailed):
        sweep_folds(book, train, max_failed_trials=1)
    [trial] = runs(book, Stage.TRIAL)
    assert (trial.status, trial.end_reason) == (RunStatus.FAILED, "error")
    assert "between folds" in (trial.error or "")


def test_what_a_fold_logs_and_reports_stays_on_the_fold(book: Studbook) -> None:
    def train(context: TrainContext) -> float:
        context.log_metrics({"loss": 3.0, "f1": 0.1}, step=5)
        context.report(0.4, 1)
        return 0.5

    sweep_folds(book, train)
    for fold in runs(book, Stage.FOLD):
        assert fold.metrics == {"loss": 3.0, "f1": 0.5, "intermediate_f1": 0.4}
    [trial] = runs(book, Stage.TRIAL)
    assert trial.metrics["f1"] == 0.5
    assert "loss" not in trial.metrics


def test_folds_without_runs_of_their_own_are_recorded_on_the_trial(book: Studbook) -> None:
    def train(context: TrainContext) -> Mapping[str, float]:
        context.log_metrics({"loss": 3.0, "f1": 0.1}, step=5)
        context.report(0.4, 1)
        return scores(context)

    sweep_folds(book, train, fold_runs=False)
    assert runs(book, Stage.FOLD) == ()
    [trial] = runs(book, Stage.TRIAL)
    assert trial.folds == SCORES
    assert trial.metrics["loss_fold_1"] == 3.0
    assert trial.metrics["intermediate_f1_fold_2"] == 0.4


def test_a_fold_that_was_scored_before_is_not_trained_again(book: Studbook) -> None:
    trained: list[int] = []

    def train(context: TrainContext) -> Mapping[str, float]:
        assert context.fold is not None
        trained.append(context.fold.index)
        if trained == [0, 1]:
            raise ValueError("once")
        return scores(context)

    sweep = sweep_folds(book, train, space={"x": choice("only")}, max_failed_trials=2)
    assert trained == [0, 1, 1, 2]
    first, second = sorted(runs(book, Stage.TRIAL), key=lambda run: run.attempt)
    assert (first.status, second.status, second.attempt) == (RunStatus.FAILED, RunStatus.FINISHED, 2)
    assert second.folds == SCORES
    assert second.metrics["loss"] == 1.0
    assert sweep.best.values == {"f1": 0.625}
    [kept] = [f for f in runs(book, Stage.FOLD) if f.params["fold_index"] == "0"]
    assert [fold.reused_from for fold in scored_folds(book)] == [None, kept.ref, None, None]
    assert kept.parent == first.ref


def test_a_rerun_trains_all_folds_again(book: Studbook) -> None:
    trained: list[int] = []

    def train(context: TrainContext) -> Mapping[str, float]:
        assert context.fold is not None
        trained.append(context.fold.index)
        return scores(context)

    sweep_folds(book, train, space={"x": choice("only")}, trials=2, duplicates="rerun")
    assert trained == [0, 1, 2, 0, 1, 2]
    assert [run.attempt for run in runs(book, Stage.TRIAL)] == [1, 2]


def test_the_step_of_the_best_value_is_recorded_when_the_training_knows_it(book: Studbook) -> None:
    def train(context: TrainContext) -> Mapping[str, float]:
        assert context.fold is not None
        if context.fold.index:
            context.best_step = 10 * context.fold.index
        return scores(context)

    sweep_folds(book, train)
    assert [event.best_step for event in scored_folds(book)] == [None, 10, 20]
