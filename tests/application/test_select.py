"""Decisions: read completely, recorded once, made again from the same runs, and nothing stored in vain."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from studbook.adapters.memory.artifact_store import MemoryArtifactStore
from studbook.adapters.memory.clock import ManualClock
from studbook.application.selection_inputs import changed, experiments_of, scope_runs
from studbook.application.train_context import TrainContext
from studbook.domain.errors import MixedObjectives, NoCandidate, PolicyInvalid, SelectionError
from studbook.domain.run import RunStatus
from studbook.domain.run_view import RunView
from studbook.domain.search_space import float_range
from studbook.domain.selection.config import SelectionConfig
from studbook.domain.selection.replay import replay
from studbook.domain.stage import Stage
from studbook.domain.study import Objective, maximize, minimize
from studbook.entrypoints.studbook import Studbook
from studbook.entrypoints.sweep_handle import Sweep


def sweep_of(book: Studbook, family: str, score: float, metric: str = "f1", *, refit: bool = True) -> Sweep:
    def train(context: TrainContext) -> Mapping[str, float]:
        (context.output_dir / "config.json").write_text("{}")
        (context.output_dir / "model.bin").write_text(family)
        return {metric: score}

    sweep = book.sweep(
        family, train, space={"x": float_range(0, 1)}, objective=maximize(metric), trials=3, family=family
    )
    if refit:
        sweep.refit()
    return sweep


def selections(book: Studbook) -> list[RunView]:
    return sorted(book.container.catalog().find([Stage.SELECTION]), key=lambda run: run.attempt)


def events(book: Studbook) -> int:
    return sum(1 for _ in book.container.event_log().read())


@pytest.fixture
def two(book: Studbook) -> Studbook:
    """A book with two families; `svm` is better, `forest` faster."""
    sweep_of(book, "svm", 0.9)
    sweep_of(book, "forest", 0.8)
    return book


def test_the_best_is_chosen_and_recorded(two: Studbook) -> None:
    decision = two.select("best_metric")
    winner = decision.result.winner
    assert (winner.family, decision.reused) == ("svm", False)
    [run] = selections(two)
    assert (run.ref, run.status, run.parent) == (decision.ref, RunStatus.FINISHED, None)
    vocabulary = two.container.vocabulary()
    assert vocabulary.read("selection.key", run.tags) == decision.result.selection_key
    assert vocabulary.read("selection.policy", run.tags) == "best_metric"
    assert vocabulary.read("selection.winner", run.tags) == winner.trial
    assert vocabulary.read("selection.winner_refit", run.tags) == winner.refit
    stored = two.container.tracking_store().get_run(run.run_id)
    assert stored.params["policy"] == "best_metric"
    assert stored.params["candidates_read"] == str(decision.result.funnel["read"])
    assert stored.params["candidates_contending"] == str(decision.result.funnel["contenders"])


def test_a_decision_reads_as_its_reasons_and_shows_itself_in_a_line(two: Studbook) -> None:
    decision = two.select("best_metric")
    assert str(decision).startswith("svm wins by policy best_metric among 2 candidates")
    assert decision.ref in repr(decision)
    assert len(repr(decision)) < 300


def test_the_record_can_be_decided_again(two: Studbook) -> None:
    decision = two.select("best_metric")
    [run] = selections(two)
    store = two.container.artifact_store()
    assert isinstance(store, MemoryArtifactStore)
    body = store.read(run.run_id, "selection/selection.json")
    inputs = store.read(run.run_id, "selection/inputs.json")
    assert body == decision.result.body()
    assert replay(body, inputs).require_identical().body() == body
    json.loads(store.read(run.run_id, "selection/locations.json"))
    assert run.artifacts == {}


def test_a_selection_is_one_append_after_the_decision(two: Studbook) -> None:
    decision = two.select("best_metric")
    kinds = [e.event.kind for e in two.container.event_log().read() if e.run_key == decision.ref]
    assert kinds == ["RunStarted", "ModelSelected", "ArtifactLogged", "RunEnded"]


def test_the_same_inputs_give_the_recorded_decision_again(
    two: Studbook, open_book: Callable[..., Studbook]
) -> None:
    first = two.select("best_metric")
    before = events(two)
    again = open_book().select("best_metric")
    assert (again.ref, again.reused) == (first.ref, True)
    assert again.result.body() == first.result.body()
    assert events(two) == before


def test_new_inputs_are_a_new_decision(two: Studbook) -> None:
    first = two.select("best_metric")
    sweep_of(two, "mlp", 0.95)
    second = two.select("best_metric")
    assert second.ref != first.ref
    assert second.result.winner.family == "mlp"


def test_a_decision_may_be_recorded_each_time(two: Studbook) -> None:
    first = two.select("best_metric")
    second = two.select("best_metric", record={"mode": "always_new"})
    assert [run.attempt for run in selections(two)] == [1, 2]
    assert (second.ref, second.reused) == (selections(two)[1].ref, False)
    assert first.result.selection_key == second.result.selection_key


def test_a_decision_is_recorded_in_the_experiment_that_is_named(two: Studbook) -> None:
    record = {"experiment": "decisions"}
    first = two.select("best_metric", record=record)
    assert two.find(first.ref).experiment == "decisions"
    again = two.select("best_metric", record=record)
    assert (again.ref, again.reused) == (first.ref, True)
    with pytest.raises(PolicyInvalid, match="every backend finds"):
        two.select("best_metric", record={"experiment": "no such/name"})


def test_the_experiment_of_decisions_is_one_of_the_project(
    two: Studbook, open_book: Callable[..., Studbook]
) -> None:
    book = open_book({"selection.record.experiment": "decisions"})
    made = book.select("best_metric")
    assert [(run.ref, run.experiment) for run in selections(book)] == [(made.ref, "decisions")]
    assert "decisions" in book.container.catalog().experiments()


def test_a_deleted_decision_is_recorded_again(two: Studbook) -> None:
    two.select("best_metric")
    two.container.tracking_store().delete_run(selections(two)[0].run_id)
    again = two.select("best_metric")
    assert (again.reused, again.ref) == (False, selections(two)[1].ref)


def test_a_dry_run_stores_nothing(two: Studbook) -> None:
    before = events(two)
    decision = two.select("best_metric", dry_run=True)
    assert (decision.ref, decision.reused) == ("", False)
    assert decision.result.winner.family == "svm"
    assert events(two) == before
    assert two.select("best_metric").result.body() == decision.result.body()


def test_scores_and_margin_are_metrics_of_a_policy_that_has_them(two: Studbook, clock: ManualClock) -> None:
    for run, seconds in zip(two.container.catalog().find([Stage.REFIT]), (0.004, 0.001), strict=True):
        two.benchmark(run, lambda batch, s=seconds: clock.advance(s), {1: b""}, iterations=2)
    decision = two.select("accuracy_latency")
    [run] = selections(two)
    first, second = decision.result.ranking[:2]
    assert run.metrics == {
        "score": first.score,
        "runner_up_score": second.score,
        "margin": decision.result.margin,
    }


def test_the_scope_narrows_what_is_read(two: Studbook) -> None:
    assert two.select("best_metric", scope={"families": ["forest"]}).result.winner.family == "forest"


# --- what cannot be decided


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"policy": "best_metrik"}, "best_metric"),
        ({"polcy": "best_metric"}, "policy"),
        ({"scope": {"familys": ["svm"]}}, "families"),
        ({"record": {"mode": "nevr"}}, "mode"),
    ],
)
def test_a_setting_that_does_not_exist_names_the_nearest(
    two: Studbook, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(PolicyInvalid) as caught:
        two.select(**changes)  # type: ignore[arg-type]
    assert words in str(caught.value)
    assert caught.value.exit_code == 2
    with pytest.raises(PolicyInvalid):
        two.champions(**changes)  # type: ignore[arg-type]
    assert selections(two) == []


def test_without_runs_there_is_no_candidate(book: Studbook) -> None:
    with pytest.raises(NoCandidate) as caught:
        book.select()
    assert caught.value.exit_code == 3
    assert caught.value.cure
    assert events(book) == 0


def test_a_metric_that_nobody_has_is_an_error_with_a_cure(two: Studbook) -> None:
    with pytest.raises(SelectionError) as caught:
        two.select("best_metric", objective={"metric": "nope"})
    assert caught.value.cure
    assert selections(two) == []


def test_trials_without_a_refit_are_no_candidates_unless_asked_for(book: Studbook) -> None:
    sweep_of(book, "svm", 0.9, refit=False)
    with pytest.raises(NoCandidate):
        book.select("best_metric")


def test_studies_of_other_objectives_are_not_mixed(two: Studbook) -> None:
    sweep_of(two, "mlp", 0.7, metric="accuracy")
    with pytest.raises(MixedObjectives):
        two.select("best_metric")
    assert two.select("best_metric", objective={"metric": "accuracy"}).result.winner.family == "mlp"


# --- champions


def test_champions_are_a_question(two: Studbook) -> None:
    sweep_of(two, "mlp", 0.7, refit=False)
    before = events(two)
    report = two.champions()
    assert {champion.family: champion.value for champion in report.champions} == {"svm": 0.9, "forest": 0.8}
    assert [family for family, _, _ in report.skipped] == ["mlp"]
    assert events(two) == before


@pytest.mark.parametrize(("objective", "best"), [(maximize("score"), 3), (minimize("score"), 0)])
def test_the_champion_is_the_sweeps_best_trial(book: Studbook, objective: Objective, best: int) -> None:
    scores = iter([0.25, 0.5, 0.5, 0.9, 0.9])

    def train(context: TrainContext) -> float:
        (context.output_dir / "weights.joblib").write_bytes(b"weights")
        return next(scores, 0.0)

    sweep = book.sweep("s", train, space={"x": float_range(0, 1)}, objective=objective, trials=4)
    assert sweep.best.number == best
    mapping = sweep.refit()
    [champion] = book.champions().champions
    assert (champion.trial, champion.refit) == (sweep.best.run_key, mapping.refit)


# --- what decisions read


def test_no_change_is_the_same_configuration() -> None:
    config = SelectionConfig()
    assert changed(config, {}) is config


def test_changes_replace_keys_and_leave_the_others() -> None:
    config = SelectionConfig.parse({"policy": "best_metric", "noise_z": 2.0})
    after = changed(config, {"policy": "accuracy_latency"})
    assert (after.policy, after.noise_z) == ("accuracy_latency", 2.0)


def test_every_status_is_read_but_only_of_the_scope(two: Studbook) -> None:
    with pytest.raises(ValueError, match="no"), two.run("hand", stage="hpo_trial"):
        raise ValueError("no")
    two.final_training(
        lambda context: float((context.output_dir / "weights.joblib").write_text("x")), family="svm"
    )
    catalog = two.container.catalog()
    runs = scope_runs(SelectionConfig(), catalog)
    assert {run.stage for run in runs} == {Stage.SWEEP, Stage.TRIAL, Stage.REFIT}
    assert {run.status for run in runs} == {RunStatus.FINISHED, RunStatus.FAILED}
    assert scope_runs(SelectionConfig.parse({"scope": {"experiments": ["another"]}}), catalog) == ()


def test_the_experiments_are_those_that_hold_a_run(two: Studbook) -> None:
    one, *others = scope_runs(SelectionConfig(), two.container.catalog())
    moved = replace(one, experiment="a")
    assert experiments_of([*others, moved, moved]) == ("a", one.experiment)
    assert experiments_of([]) == ()
