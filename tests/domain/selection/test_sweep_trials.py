"""A sweep job's children are trials of one study, and the same core decides about them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.domain.run import RunStatus
from studbook.domain.run_view import KeySchema, RunView
from studbook.domain.selection.champions import ChampionReport, choose_champions
from studbook.domain.selection.config import SelectionConfig
from studbook.domain.selection.rejection import RejectionReason
from studbook.domain.selection.replay import ReplayVerdict, replay
from studbook.domain.selection.result import SelectionResult
from studbook.domain.selection.select import select
from studbook.domain.selection.sweep_trials import SweepTrials, sweep_trials
from studbook.domain.selection.warning import WarningCode
from studbook.domain.stage import Stage
from studbook.domain.stored_run import Lifecycle
from studbook.domain.sweep_job import AzureSweep, SweepJob

JOB = SweepJob("hill", "tests", "Completed", "acc", "Maximize", best_child="hill_0")
SAID = AzureSweep("hill")
CONFIG = SelectionConfig.parse(
    {
        "scope": {"schemas": ["v3", "native"]},
        "champions": {"min_trials": 1, "top_k": 1},
        "refit": {"requirement": "trial"},
        "policy": "best_metric",
    }
)


def foreign(name: str, **fields: Any) -> RunView:
    """A run that no studbook recorded."""
    run = RunView(
        ref=f"run:{name}",
        run_id=name,
        stage=None,
        status=RunStatus.FINISHED,
        lifecycle=Lifecycle.ACTIVE,
        experiment="search",
        name=name,
        started_at=1_000,
        ended_at=2_000,
    )
    return replace(run, **fields)


def child(number: int, value: float, **fields: Any) -> RunView:
    told = {"metrics": {"acc": value}, "started_at": 1_000 + number, **fields}
    return foreign(f"hill_{number}", **told)


SWEEP = foreign("hill")


def champions(trials: SweepTrials) -> ChampionReport:
    return choose_champions(trials.runs, CONFIG, ["search"], trials.warnings)


def selected(trials: SweepTrials) -> SelectionResult:
    return select(trials.runs, CONFIG, ["search"], trials.warnings)


def codes(found: ChampionReport | SelectionResult) -> set[WarningCode]:
    return {warning.code for warning in found.warnings}


def test_a_child_is_a_trial_under_its_own_name() -> None:
    (trial,) = sweep_trials(SAID, JOB, SWEEP, [child(3, 0.5)]).runs
    assert (trial.ref, trial.stage, trial.parent) == ("run:hill_3", Stage.TRIAL, "run:hill")
    assert (trial.study_key, trial.trial_key) == ("azureml:tests/hill", "azureml:hill_3")
    assert (trial.key_schema, trial.objectives) == (KeySchema.NATIVE, (("acc", "maximize"),))
    assert (trial.family, trial.dataset_version) == ("unknown", None)


def test_keys_that_are_recorded_are_kept() -> None:
    recorded = child(0, 0.5, ref="rk3:" + "a" * 64, trial_key="tk3:" + "b" * 64)
    tagged = child(1, 0.4, tags={"trial_key": "mine"})
    found = sweep_trials(SAID, JOB, replace(SWEEP, tags={"study_key": "ours"}), [recorded, tagged]).runs
    assert [(run.ref, run.study_key, run.trial_key) for run in found] == [
        ("rk3:" + "a" * 64, "ours", "tk3:" + "b" * 64),
        ("run:hill_1", "ours", "mine"),
    ]
    (of_ours,) = sweep_trials(SAID, JOB, replace(SWEEP, study_key="sk3:" + "c" * 64), [recorded]).runs
    assert of_ours.study_key == "sk3:" + "c" * 64


@pytest.mark.parametrize(
    ("said", "on_child", "on_sweep", "family"),
    [
        (None, None, None, "unknown"),
        (None, None, "forest", "forest"),
        (None, "svm", None, "svm"),
        ("mlp", None, None, "mlp"),
        ("mlp", "mlp", "mlp", "mlp"),
    ],
)
def test_the_family_is_the_callers_then_that_of_a_tag(
    said: str | None, on_child: str | None, on_sweep: str | None, family: str
) -> None:
    tags = [{} if tag is None else {"backbone": tag} for tag in (on_child, on_sweep)]
    found = sweep_trials(
        AzureSweep("hill", said), JOB, replace(SWEEP, tags=tags[1]), [child(0, 0.5, tags=tags[0])]
    )
    assert ([run.family for run in found.runs], found.warnings) == ([family], ())
    assert [champion.family for champion in champions(found).champions] == [family]


@pytest.mark.parametrize(("said", "family"), [("mlp", "mlp"), (None, "svm")])
def test_families_that_contradict_each_other_are_a_warning(said: str | None, family: str) -> None:
    found = sweep_trials(
        AzureSweep("hill", said),
        JOB,
        replace(SWEEP, tags={"backbone": "forest"}),
        [child(n, 0.5, tags={"backbone": "svm"}) for n in range(2)],
    )
    assert {run.family for run in found.runs} == {family}
    assert {warning.refs for warning in found.warnings} == {("run:hill_0", "run:hill_1")}
    assert {name for name in ("svm", "forest", "mlp") if f"to be {name}" in str(found.warnings)} == {
        "svm",
        "forest",
    } - {family}
    assert WarningCode.FAMILY_CONFLICT in codes(champions(found)) & codes(selected(found))


def test_the_version_of_the_data_is_that_of_the_tag_then_the_callers() -> None:
    said = AzureSweep("hill", data_version="7")
    tagged, plain = child(0, 0.5, tags={"data_version": "1"}), child(1, 0.6)
    found = sweep_trials(said, JOB, SWEEP, [tagged, plain])
    assert [run.dataset_version for run in found.runs] == ["1", "7"]
    assert selected(found).document()["winner"]["tags"] == {"dataset_version": "7"}
    assert champions(found).champions[0].dataset_version == "7"
    of_sweep = sweep_trials(said, JOB, replace(SWEEP, tags={"data_version": "2"}), [tagged, plain])
    assert [run.dataset_version for run in of_sweep.runs] == ["1", "2"]


def test_a_winner_without_a_version_has_no_tags() -> None:
    assert "tags" not in selected(sweep_trials(SAID, JOB, SWEEP, [child(0, 0.5)])).document()["winner"]


@pytest.mark.parametrize(("best", "differs"), [("hill_0", False), ("hill_1", True), (None, False)])
def test_the_services_best_child_is_only_compared(best: str | None, differs: bool) -> None:
    trials = [child(0, 0.9), child(1, 0.8)]
    found = sweep_trials(SAID, replace(JOB, best_child=best), SWEEP, trials)
    report, result = champions(found), selected(found)
    assert report.champions[0].trial == result.winner.trial == "run:hill_0"
    for decided in (report, result):
        assert (WarningCode.SERVICE_BEST_DIFFERS in codes(decided)) is differs


def test_a_best_child_that_studbook_recorded_is_known_by_its_key() -> None:
    key = "rk3:" + "a" * 64
    found = sweep_trials(SAID, JOB, SWEEP, [child(0, 0.9, ref=key), child(1, 0.8)])
    assert selected(found).winner.trial == key
    assert WarningCode.SERVICE_BEST_DIFFERS not in codes(champions(found)) | codes(selected(found))


def test_a_best_child_that_is_one_familys_champion_is_no_difference() -> None:
    trials = [child(0, 0.9, tags={"backbone": "svm"}), child(1, 0.8, tags={"backbone": "mlp"})]
    report = champions(sweep_trials(SAID, JOB, SWEEP, trials))
    assert [champion.trial for champion in report.champions] == ["run:hill_1", "run:hill_0"]
    assert WarningCode.SERVICE_BEST_DIFFERS not in codes(report)


def test_a_goal_to_minimize_takes_the_least() -> None:
    job = replace(JOB, goal="minimize", best_child="hill_1")
    assert (
        selected(sweep_trials(SAID, job, SWEEP, [child(0, 0.9), child(1, 0.8)])).winner.trial == "run:hill_1"
    )


def test_children_that_did_not_finish_or_have_no_metric_are_rejected_and_an_open_sweep_is_told() -> None:
    trials = [
        child(0, 0.9, status=RunStatus.FAILED),
        child(1, 0.8, status=RunStatus.RUNNING),
        child(2, 0.7, metrics={"loss": 1.0}),
        child(3, 0.6),
    ]
    result = selected(sweep_trials(SAID, JOB, SWEEP, trials))
    assert result.winner.trial == "run:hill_3"
    assert [(found.ref, found.reason) for found in result.rejected] == [
        ("run:hill_2", RejectionReason.METRIC_MISSING)
    ]
    assert result.inputs.screened.reasons[RejectionReason.NOT_FINISHED].count == 2
    assert WarningCode.STUDY_OPEN in codes(result)


def test_two_sweeps_of_one_family_are_two_studies() -> None:
    other = SweepJob("vale", "tests", "Completed", "acc", "maximize", best_child="vale_0")
    one = sweep_trials(SAID, JOB, SWEEP, [child(0, 0.9)])
    two = sweep_trials(AzureSweep("vale"), other, foreign("vale"), [foreign("vale_0", metrics={"acc": 0.95})])
    report = champions(SweepTrials((*one.runs, *two.runs), ()))
    assert [group.study_key for group in report.groups] == ["azureml:tests/hill", "azureml:tests/vale"]
    assert [champion.trial for champion in report.champions] == ["run:vale_0"]
    assert WarningCode.SERVICE_BEST_DIFFERS not in codes(report)


tags = st.dictionaries(
    st.sampled_from(["backbone", "data_version", "trial_key"]), st.sampled_from(["", "a", "b"]), max_size=3
)
children = st.lists(
    st.tuples(st.sampled_from([0.1, 0.5, 0.9]), st.sampled_from(RunStatus), tags), min_size=1, max_size=6
).map(lambda rows: [child(n, value, status=s, tags=t) for n, (value, s, t) in enumerate(rows)])
claims = st.builds(AzureSweep, st.just("hill"), st.sampled_from([None, "a"]), st.sampled_from([None, "b"]))
jobs = st.sampled_from([None, "hill_0", "hill_1", "gone"]).map(lambda best: replace(JOB, best_child=best))


@given(children, claims, jobs, tags, st.randoms(use_true_random=False))
def test_the_order_of_the_children_does_not_matter_and_the_record_replays(
    runs: list[RunView], said: AzureSweep, job: SweepJob, on_sweep: dict[str, str], random: Any
) -> None:
    shuffled = runs.copy()
    random.shuffle(shuffled)
    sweep = replace(SWEEP, tags=on_sweep)
    one, other = (sweep_trials(said, job, sweep, order) for order in (runs, shuffled))
    assert one == other
    assert {run.ref for run in one.runs} == {run.ref for run in runs}
    assert len({run.study_key for run in one.runs}) == 1
    assert champions(one) == champions(other)
    if any(run.status is RunStatus.FINISHED for run in runs):
        result = selected(one)
        assert replay(result.body(), result.inputs_json).verdict is ReplayVerdict.IDENTICAL


@given(children)
def test_the_best_finished_child_wins(runs: list[RunView]) -> None:
    finished = [run.metrics["acc"] for run in runs if run.status is RunStatus.FINISHED]
    found = sweep_trials(SAID, JOB, SWEEP, [replace(run, tags={}) for run in runs])
    report = champions(found)
    assert [champion.value for champion in report.champions] == ([max(finished)] if finished else [])
    if finished:
        assert selected(found).winner.trial == report.champions[0].trial
