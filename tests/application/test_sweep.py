"""A session of a study: its run, its tree, its outcome."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from studbook.adapters.memory.artifact_store import MemoryArtifactStore
from studbook.adapters.memory.clock import ManualClock
from studbook.application.notices import SweepProgress
from studbook.application.train_context import TrainContext
from studbook.domain.errors import SweepFailed
from studbook.domain.events import Envelope
from studbook.domain.run import RunStatus
from studbook.domain.run_view import RunView
from studbook.domain.search_space import choice, float_range
from studbook.domain.stage import Stage
from studbook.domain.study import Budget, Pruning, maximize, minimize
from studbook.entrypoints.studbook import Studbook
from studbook.entrypoints.sweep_handle import Sweep
from studbook.ports.sampler import TrialState

SPACE = {"x": float_range(0, 1)}


def run_sweep(book: Studbook, train: Callable[[TrainContext], object], **changes: object) -> Sweep:
    said = {"space": SPACE, "objective": maximize("f1"), "trials": 3, **changes}
    return book.sweep("digits", train, **said)  # type: ignore[arg-type]  # wrong ones, too


def found(book: Studbook, *stages: Stage) -> tuple[RunView, ...]:
    return tuple(sorted(book.container.catalog().find(stages), key=lambda run: run.attempt))


def tag(book: Studbook, run: RunView, name: str) -> object:
    return book.container.vocabulary().read(name, run.tags)


def log(book: Studbook) -> list[Envelope]:
    return list(book.container.event_log().read())


def record(book: Studbook, run: RunView, name: str) -> object:
    store = book.container.artifact_store()
    assert isinstance(store, MemoryArtifactStore)
    return json.loads(store.read(run.run_id, f"studbook/records/{name}.json"))


def by_x(context: TrainContext) -> float:
    value = context.params["x"]
    assert isinstance(value, float)
    return value


def fail(context: TrainContext) -> float:
    raise ValueError(f"bad {context.params['x']}")


# --- the run of a session


def test_a_session_is_a_finished_run_with_the_studys_identity(book: Studbook) -> None:
    sweep = run_sweep(book, by_x, family="svm")
    [run] = found(book, Stage.SWEEP)
    assert (run.ref, run.status, run.attempt, run.parent) == (sweep.run_key, RunStatus.FINISHED, 1, None)
    assert (run.study_key, run.family_key, run.family) == (sweep.study.key, sweep.study.family_key, "svm")
    assert run.objectives == (("f1", "maximize"),)
    assert tag(book, run, "study.name") == "digits"
    assert tag(book, run, "data.fingerprint") == sweep.study.data_key
    assert tag(book, run, "data.mode") == "undeclared"
    assert tag(book, run, "eval.fingerprint") == sweep.study.eval_key
    assert tag(book, run, "sweep.outcome") == sweep.result.outcome == "completed"
    assert tag(book, run, "sweep.best_trial_key") == sweep.best.trial_key
    assert tag(book, run, "sweep.best_run_key") == sweep.best.run_key


def test_the_settings_are_the_params_of_the_session(book: Studbook) -> None:
    run_sweep(
        book,
        by_x,
        folds=2,
        n_samples=6,
        split_seed=4,
        sampler="random",
        pruner=Pruning(algorithm="median"),
        budget=Budget(unit="epochs", amount=3),
        seed=7,
        timeout_s=60,
        max_failed_trials=2,
        fold_aggregate="median",
        duplicates="rerun",
    )
    [run] = found(book, Stage.SWEEP)
    assert {name: text for name, text in run.params.items() if name != "budget"} == {
        "study_name": "digits",
        "model_family": "digits",
        "objectives": "f1:maximize",
        "n_trials": "3",
        "timeout_s": "60",
        "max_failed_trials": "2",
        "max_consecutive_failures": "5",
        "duplicates": "rerun",
        "workers": "1",
        "sampler": "random",
        "pruner": "median",
        "validation": "kfold:2",
        "fold_aggregate": "median",
        "split_seed": "4",
        "seed_policy": "derived",
        "seed": "7",
        "session": "1",
    }
    assert json.loads(str(run.params["budget"]))["amount"] == 3


def test_settings_that_nobody_gave_are_left_out(book: Studbook) -> None:
    run_sweep(book, by_x)
    [run] = found(book, Stage.SWEEP)
    assert run.params.keys().isdisjoint({"timeout_s", "max_failed_trials", "pruner", "budget", "split_seed"})
    assert run.params["validation"] == "none"


def test_the_counts_of_the_whole_study_are_metrics(book: Studbook) -> None:
    run_sweep(book, by_x)
    run_sweep(book, by_x, trials=5)
    first, second = found(book, Stage.SWEEP)
    expected = {"trials_pruned": 0.0, "trials_failed": 0.0, "trials_duplicate": 0.0}
    assert first.metrics.items() >= {**expected, "trials_total": 3.0, "trials_complete": 3.0}.items()
    assert second.metrics.items() >= {**expected, "trials_total": 5.0, "trials_complete": 5.0}.items()


def test_the_best_value_is_a_metric_whenever_it_improves(book: Studbook) -> None:
    scores = iter([0.25, 0.75, 0.5, 0.75, 1.0])
    run_sweep(book, lambda context: next(scores), trials=5)
    [run] = found(book, Stage.SWEEP)
    history = book.container.tracking_store().metric_history(run.run_id, "best_f1")
    assert [(point.step, point.value) for point in history] == [(1, 0.25), (2, 0.75), (5, 1.0)]


def test_the_records_tell_study_folds_and_trials(book: Studbook) -> None:
    def train(context: TrainContext) -> float:
        assert context.fold is not None
        return float(context.fold.index)

    sweep = run_sweep(book, train, folds=2, n_samples=5, trials=2)
    [run] = found(book, Stage.SWEEP)
    study = record(book, run, "study")
    assert isinstance(study, dict)
    assert study["payload"] == json.loads(json.dumps(sweep.study.payload()))
    assert study["settings"]["n_trials"] == 2
    folds = record(book, run, "folds")
    assert isinstance(folds, list)
    assert [(fold["index"], fold["train_size"], fold["validation_size"]) for fold in folds] == [
        (0, 2, 3),
        (1, 3, 2),
    ]
    assert all(fold["digest"].startswith("sha256:") for fold in folds)
    trials = record(book, run, "trials")
    assert trials == [
        {
            "number": trial.number,
            "trial_key": trial.trial_key,
            "run_key": trial.run_key,
            "attempt": 1,
            "state": "COMPLETE",
            "params": dict(trial.params),
            "values": {"f1": 0.5},
            "folds": [{"f1": 0.0}, {"f1": 1.0}],
            "duplicate_of": None,
        }
        for trial in sweep.trials
    ]


def test_several_objectives_have_a_pareto_set_instead_of_a_best(book: Studbook) -> None:
    points = iter([(0.9, 2.0), (0.8, 1.0), (0.7, 3.0)])

    def train(context: TrainContext) -> dict[str, float]:
        f1, loss = next(points)
        return {"f1": f1, "loss": loss}

    sweep = run_sweep(book, train, objective=[maximize("f1"), minimize("loss")])
    [run] = found(book, Stage.SWEEP)
    assert run.metrics["pareto_size"] == 2.0
    assert not any(name.startswith("best_") for name in run.metrics)
    assert tag(book, run, "sweep.best_trial_key") is None
    trials = record(book, run, "trials")
    assert isinstance(trials, list)
    assert [row.get("pareto", False) for row in trials] == [True, True, False]
    assert [trial.number for trial in sweep.result.pareto] == [0, 1]


# --- the tree, and the order of events


def test_the_tree_is_sweep_trial_fold_in_one_experiment(book: Studbook) -> None:
    sweep = run_sweep(book, lambda context: 0.5, folds=2, n_samples=6, trials=2)
    trials, folds = found(book, Stage.TRIAL), found(book, Stage.FOLD)
    assert [run.parent for run in trials] == [sweep.run_key] * 2
    assert sorted(run.parent or "" for run in folds) == sorted(2 * [run.ref for run in trials])
    everything = book.container.catalog().find_all()
    assert len(everything) == 1 + 2 + 4
    assert len({run.experiment for run in everything}) == 1
    store = book.container.tracking_store()
    for run in trials:
        assert store.get_run(run.run_id).parent_id == found(book, Stage.SWEEP)[0].run_id


def test_a_run_starts_and_ends_once_and_its_stage_with_it(book: Studbook) -> None:
    run_sweep(book, lambda context: 0.5, folds=2, n_samples=6, trials=1)
    kinds: dict[str, list[str]] = {}
    for envelope in log(book):
        kinds.setdefault(envelope.run_key or "", []).append(envelope.event.kind)
    by_stage = {run.stage: kinds[run.ref] for run in book.container.catalog().find_all()}
    assert by_stage[Stage.SWEEP] == [
        *("RunStarted", "StudyOpened", "RecordWritten", "RecordWritten"),
        "MetricsLogged",
        *("StudyClosed", "RecordWritten", "RunEnded"),
    ]
    assert by_stage[Stage.TRIAL] == [
        *("RunStarted", "TrialStarted"),
        *("FoldScored", "MetricsLogged", "FoldScored", "MetricsLogged"),
        *("TrialCompleted", "RunEnded"),
    ]
    assert by_stage[Stage.FOLD] == ["RunStarted", "FoldStarted", "RunEnded"]


def test_start_and_end_events_are_one_append_each(open_book: Callable[..., Studbook]) -> None:
    book = open_book()
    appended: list[list[str]] = []
    inner = book.container.event_log()
    append = inner.append

    def spy(*happenings: object) -> object:
        appended.append([happening.event.kind for happening in happenings])  # type: ignore[attr-defined]
        return append(*happenings)

    inner.append = spy
    run_sweep(book, lambda context: 0.5, folds=2, n_samples=6, trials=1)
    assert ["RunStarted", "StudyOpened", "RecordWritten", "RecordWritten"] in appended
    assert ["RunStarted", "TrialStarted"] in appended
    assert appended.count(["RunStarted", "FoldStarted"]) == 2
    assert appended.count(["FoldScored", "RunEnded"]) == 2
    assert ["TrialCompleted", "RunEnded"] in appended
    assert appended[-1] == ["StudyClosed", "RecordWritten", "RunEnded"]


def test_the_journal_knows_a_trial_before_it_is_trained_and_its_end_before_the_next(book: Studbook) -> None:
    seen = []

    def train(context: TrainContext) -> float:
        kinds = [envelope.event.kind for envelope in log(book)]
        seen.append((kinds.count("TrialStarted"), kinds.count("TrialCompleted")))
        return 0.5

    run_sweep(book, train)
    assert seen == [(1, 0), (2, 1), (3, 2)]


def test_progress_is_told_after_each_trial(book: Studbook) -> None:
    told: list[SweepProgress] = []
    subscription = book.subscribe(lambda each: told.append(each) if isinstance(each, SweepProgress) else None)
    run_sweep(book, lambda context: 0.5)
    assert subscription.close(timeout=5)
    assert [(each.trials_done, each.trials_total, each.best) for each in told] == [
        (number, 3, 0.5) for number in (1, 2, 3)
    ]
    assert told[-1].states == {"RUNNING": 0, "COMPLETE": 3, "PRUNED": 0, "FAILED": 0}


# --- outcomes


def test_failed_trials_do_not_count_as_trials(book: Studbook) -> None:
    results: list[float | Exception] = [0.5, ValueError("once"), 0.7, 0.6]

    def train(context: TrainContext) -> float:
        result = results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    sweep = run_sweep(book, train)
    assert sweep.result.counts() == {"total": 4, "complete": 3, "pruned": 0, "failed": 1, "duplicate": 0}
    assert sweep.trials[1].error == "ValueError: once"
    assert sweep.best.values == {"f1": 0.7}
    [run] = found(book, Stage.SWEEP)
    assert (run.status, tag(book, run, "sweep.outcome")) == (RunStatus.FINISHED, "completed")


@pytest.mark.parametrize(
    ("limits", "failures"),
    [
        ({}, 3),
        ({"trials": 9}, 5),
        ({"max_failed_trials": 2}, 2),
        ({"trials": 9, "max_consecutive_failures": 4}, 4),
    ],
)
def test_too_many_failures_end_the_sweep_as_failed(
    book: Studbook, limits: dict[str, object], failures: int
) -> None:
    with pytest.raises(SweepFailed) as caught:
        run_sweep(book, fail, **limits)
    [run] = found(book, Stage.SWEEP)
    assert (run.status, run.end_reason) == (RunStatus.FAILED, "too_many_failures")
    assert tag(book, run, "sweep.outcome") == "failed"
    assert run.metrics["trials_failed"] == failures
    assert f"{failures} trials failed" in caught.value.problem
    assert caught.value.cure


def test_a_success_between_failures_starts_the_count_anew(book: Studbook) -> None:
    numbers = iter(range(100))

    def train(context: TrainContext) -> float:
        if next(numbers) % 3 < 2:
            raise ValueError("two of three")
        return 0.5

    sweep = run_sweep(book, train, trials=3, max_consecutive_failures=3, max_failed_trials=50)
    assert sweep.result.counts()["failed"] == 6


def test_a_failed_sweep_names_the_commonest_error(book: Studbook) -> None:
    errors = iter([ValueError("rare"), KeyError("common"), KeyError("common")])

    def train(context: TrainContext) -> float:
        raise next(errors)

    with pytest.raises(SweepFailed, match=r"KeyError: 'common'") as caught:
        run_sweep(book, train)
    assert caught.value.details["errors"] == ["ValueError: rare", *["KeyError: 'common'"] * 2]
    [run] = found(book, Stage.SWEEP)
    assert run.error == "KeyError: 'common'"


def test_a_space_without_new_points_is_exhausted(book: Studbook) -> None:
    sweep = run_sweep(book, lambda context: 0.5, space={"x": choice(1, 2)}, sampler="grid", trials=10)
    assert len(sweep.trials) == 2
    [run] = found(book, Stage.SWEEP)
    assert (run.status, tag(book, run, "sweep.outcome")) == (RunStatus.FINISHED, "exhausted")


def test_after_the_timeout_no_trial_is_started(book: Studbook, clock: ManualClock) -> None:
    def train(context: TrainContext) -> float:
        clock.advance(4)
        return 0.5

    sweep = run_sweep(book, train, trials=10, timeout_s=10)
    assert len(sweep.trials) == 3
    [run] = found(book, Stage.SWEEP)
    assert (run.status, tag(book, run, "sweep.outcome")) == (RunStatus.FINISHED, "timeout")


def test_a_study_whose_trials_are_reached_makes_no_run(book: Studbook) -> None:
    first = run_sweep(book, by_x)
    events = len(log(book))
    again = run_sweep(book, lambda context: pytest.fail("trained again"))
    assert len(log(book)) == events
    assert again.run_key == first.run_key
    assert again.result.outcome is None
    assert again.trials == first.trials


def test_another_study_is_another_sweep(book: Studbook) -> None:
    first = run_sweep(book, by_x)
    second = run_sweep(book, by_x, objective=minimize("f1"))
    third = run_sweep(book, by_x, revision="2")
    assert len({sweep.study.key for sweep in (first, second, third)}) == 3
    assert all(
        trial.state is TrialState.COMPLETE for sweep in (first, second, third) for trial in sweep.trials
    )
    assert second.best.values == {"f1": min(by_x_values(second))}


def by_x_values(sweep: Sweep) -> list[float]:
    return [trial.values["f1"] for trial in sweep.trials if trial.values]
