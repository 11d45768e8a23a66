"""Which check a run fails first, and who is left."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from studbook.domain.errors import MixedObjectives, NoCandidate, PolicyInputMissing, PolicyInvalid
from studbook.domain.run import RunStatus
from studbook.domain.run_view import ArtifactState, KeySchema, RunView
from studbook.domain.selection.config import SelectionConfig
from studbook.domain.selection.rejection import RejectionReason as R
from studbook.domain.selection.replay import replay
from studbook.domain.selection.scope import legacy_experiments
from studbook.domain.selection.select import select
from studbook.domain.selection.warning import WarningCode
from studbook.domain.stage import Stage
from studbook.domain.stored_run import Lifecycle

# In the order of the checks; each is applied on top of all that follow it.
FAULTS: list[tuple[R, dict[str, Any]]] = [
    (R.DELETED, {"lifecycle": Lifecycle.DELETED}),
    (R.NOT_FINISHED, {"trial_state": "PRUNED"}),
    (R.SCHEMA_UNKNOWN, {"key_schema": None}),
    (R.KEY_MISSING, {"study_key": None}),
    (R.DIRECTION_UNKNOWN, {"objectives": ()}),
    (R.METRIC_MISSING, {"metrics": {}}),
]


def fate(result: Any, ref: str) -> R | None:
    listed = {ref: reason for reason, found in result.inputs.screened.reasons.items() for ref in found.listed}
    rejected = {found.ref: found.reason for found in (*result.dropped, *result.rejected)}
    found: R | None = {**listed, **rejected}.get(ref)
    return found


@pytest.mark.parametrize("first", range(len(FAULTS)))
def test_the_first_failing_check_gives_the_reason(make: Any, choose: Any, first: int) -> None:
    fields: dict[str, Any] = {}
    for _, fault in FAULTS[first:]:
        fields |= fault
    result = choose([*make.candidate("good", 0.5), make.trial("x", 0.9, **fields)], "best_metric")
    assert fate(result, "trial-x") is FAULTS[first][0]
    assert result.winner.trial == "trial-good"


@pytest.mark.parametrize(
    ("reason", "fields"),
    [
        (R.NOT_FINISHED, {"status": RunStatus.RUNNING}),
        (R.NOT_FINISHED, {"status": RunStatus.KILLED}),
        (R.SCHEMA_EXCLUDED, {"key_schema": KeySchema.V1}),
        (R.KEY_MISSING, {"trial_key": None}),
        (R.METRIC_NOT_FINITE, {"metrics": {"acc": math.nan}}),
        (R.METRIC_NOT_FINITE, {"metrics": {"acc": math.inf}}),
        (R.METRIC_NOT_FINITE, {"metrics": {"acc": 1.7e308}}),
        (R.METRIC_NOT_FINITE, {"metrics": {"acc": True}}),
        (R.METRIC_OUT_OF_RANGE, {"metrics": {"acc": 1.2}}),
        (R.REFIT_MISSING, {}),
    ],
)
def test_reason(make: Any, choose: Any, reason: R, fields: dict[str, Any]) -> None:
    runs = [*make.candidate("good", 0.5), make.trial("x", 0.9, **fields)]
    result = choose(runs, "best_metric", objective={"range": [0, 1]})
    assert fate(result, "trial-x") is reason


def test_a_legacy_trial_without_trial_key_is_a_candidate(make: Any, choose: Any) -> None:
    runs = [make.trial("x", 0.9, key_schema=KeySchema.V2, trial_key=None)]
    result = choose(runs, "best_metric", refit={"requirement": "trial"})
    assert result.winner.artifact_run == "trial-x"


def test_a_configured_direction_may_not_contradict_the_study(make: Any, choose: Any) -> None:
    runs = [*make.candidate("good", 0.5), make.trial("x", 0.4, objectives=(("acc", "minimize"),))]
    result = choose(runs, "best_metric", objective={"direction": "maximize"})
    assert fate(result, "trial-x") is R.DIRECTION_CONFLICT
    assert result.winner.trial == "trial-good"


def test_studies_that_disagree_are_an_error(make: Any, choose: Any) -> None:
    for other in (
        (("acc", "minimize"),),
        (("loss", "minimize"),),
        (("acc", "maximize"), ("loss", "minimize")),
    ):
        runs = [*make.candidate("a", 0.5), make.trial("b", 0.6, objectives=other)]
        with pytest.raises(MixedObjectives, match="objective"):
            choose(runs, "best_metric")


def test_a_study_of_several_objectives_needs_the_metric_to_be_named(make: Any, choose: Any) -> None:
    both = (("acc", "maximize"), ("loss", "minimize"))
    runs = [
        *make.candidate("a", 0.5, objectives=both, metrics={"acc": 0.5, "loss": 0.1}),
        *make.candidate("b", 0.9, objectives=both, metrics={"acc": 0.9, "loss": 0.3}),
    ]
    assert choose(runs, "best_metric", objective={"metric": "loss"}).winner.trial == "trial-a"
    assert choose(runs, "best_metric", objective={"metric": "acc"}).winner.trial == "trial-b"


def test_direction_is_honoured(make: Any, choose: Any) -> None:
    minimize = {"objectives": (("acc", "minimize"),)}
    runs = [*make.candidate("a", 0.5, **minimize), *make.candidate("b", 0.9, **minimize)]
    assert choose(runs, "best_metric").winner.trial == "trial-a"


def test_a_newer_duplicate_wins_but_one_without_the_metric_hides_nothing(make: Any, choose: Any) -> None:
    again = make.trial("a", 0.4, ref="again", run_id="id-again", attempt=2)
    runs = [*make.candidate("a", 0.5), *make.candidate("b", 0.45)]
    result = choose([*runs, again], "best_metric")
    assert fate(result, "trial-a") is R.DUPLICATE_TRIAL
    assert result.winner.trial == "trial-b"
    lost = choose([*runs, replace(again, metrics={})], "best_metric")
    assert (lost.winner.trial, fate(lost, "again")) == ("trial-a", R.METRIC_MISSING)


def test_fields_are_joined_from_the_sweep(make: Any, choose: Any) -> None:
    bare = {"objectives": (), "key_schema": None, "family": None, "parent": "id-sweep"}
    sweep = replace(make.trial("sweep", 0), ref="sweep", run_id="id-sweep", stage=Stage.SWEEP, family="svm")
    sweep = replace(sweep, key_schema=KeySchema.V2, status=RunStatus.RUNNING, metrics={}, trial_key=None)
    runs = [make.trial("a", 0.5, **bare), make.refit("a", family=None, key_schema=None, parent="sweep")]
    result = choose([*runs, sweep], "best_metric")
    assert (result.winner.family, result.winner.refit) == ("svm", "refit-a")


def test_an_assumed_schema_is_a_warning(make: Any, choose: Any) -> None:
    runs = [make.trial("a", 0.5, key_schema=None), make.refit("a", key_schema=None)]
    result = choose(runs, "best_metric", scope={"assume_schema": "v2"})
    assert WarningCode.SCHEMA_ASSUMED in {w.code for w in result.warnings}


@pytest.mark.parametrize(
    ("demand", "state", "reason"),
    [
        ("available", ArtifactState.UNKNOWN, R.ARTIFACT_UNKNOWN),
        ("available", ArtifactState.UNAVAILABLE, R.ARTIFACT_UNAVAILABLE),
        ("not_unavailable", ArtifactState.UNAVAILABLE, R.ARTIFACT_UNAVAILABLE),
        ("not_unavailable", ArtifactState.UNKNOWN, None),
        ("ignore", ArtifactState.UNAVAILABLE, None),
    ],
)
def test_files_are_judged_on_the_run_that_serves_them(
    make: Any, choose: Any, demand: str, state: ArtifactState, reason: R | None
) -> None:
    runs = [*make.candidate("good", 0.5), make.trial("x", 0.9), make.refit("x", artifact_state=state)]
    result = choose(runs, "best_metric", artifact=demand)
    assert fate(result, "trial-x") is reason
    warned = {w.code for w in result.warnings if w.refs == ("refit-x",)}
    assert (WarningCode.ARTIFACT_UNKNOWN in warned) is (demand == "not_unavailable" and reason is None)


def test_scope_narrows_by_study_family_and_time(make: Any, choose: Any) -> None:
    key = "sk3:" + "ab" * 32
    runs = [
        *make.candidate("a", 0.5, study_key=key, family="svm", started_at=1_700_000_000_000),
        make.trial("b", 0.9),
        make.refit("b"),
    ]
    runs = [replace(run, study_key=None) if run.stage is Stage.REFIT else run for run in runs]
    for study in ("abababababab", key, key[4:], key[:20]):
        assert choose(runs, "best_metric", scope={"studies": [study]}).winner.trial == "trial-a"
    assert choose(runs, "best_metric", scope={"since": "2023-01-01T00:00:00Z"}).winner.trial == "trial-a"
    with pytest.raises(NoCandidate, match="scope"):
        choose(runs, "best_metric", scope={"families": ["other"]})


def test_an_ambiguous_study_prefix_is_an_error(make: Any, choose: Any) -> None:
    runs = [make.trial(name, 0.5, study_key=f"sk3:{'a' * 12}{name * 52}") for name in "bc"]
    with pytest.raises(PolicyInvalid, match="2 studies"):
        choose(runs, "best_metric", scope={"studies": ["a" * 12]})


def test_nothing_to_choose_from_says_where_runs_were_lost(make: Any, choose: Any) -> None:
    runs: list[RunView] = [make.trial(str(i), 0.5) for i in range(5)]
    with pytest.raises(NoCandidate, match=r"sweep\.refit") as caught:
        choose(runs, "best_metric")
    details = caught.value.details
    assert details["reasons"] == {"REFIT_MISSING": 5}
    assert details["funnel"]["metric"] == 5  # type: ignore[index]
    assert details["funnel"]["refit"] == 0  # type: ignore[index]
    assert len(details["samples"]["REFIT_MISSING"]) == 3  # type: ignore[index]


def test_no_benchmark_at_all_is_a_missing_input(make: Any, choose: Any) -> None:
    with pytest.raises(PolicyInputMissing, match="best_metric") as caught:
        choose([*make.candidate("a", 0.5), *make.candidate("b", 0.6)], "accuracy_latency")
    assert caught.value.details["refs"] == ["trial-a", "trial-b"]


def test_trials_that_no_benchmark_names_are_counted_not_kept(make: Any, choose: Any) -> None:
    runs = [*make.candidate("a", 0.5, 3), *make.candidate("b", 0.6), make.trial("c", math.nan)]
    result = choose(runs, "accuracy_latency", record={"list_screened": 0})
    assert [run.ref for run in result.inputs.pool.trials] == ["trial-a"]
    assert {reason: found.count for reason, found in result.inputs.screened.reasons.items()} == {
        R.BENCHMARK_MISSING: 1,
        R.METRIC_NOT_FINITE: 1,
    }
    assert result.funnel == {
        "read": 3,
        "finished": 3,
        "keyed": 3,
        "metric": 2,
        "refit": 2,
        "artifact": 2,
        "benchmark": 1,
        "comparable": 1,
        "contenders": 1,
    }


def test_a_missing_refit_names_what_was_considered(make: Any, choose: Any) -> None:
    runs = [*make.candidate("good", 0.5), make.trial("x", 0.9), make.refit("x", status=RunStatus.FAILED)]
    (rejection,) = choose(runs, "best_metric").rejected
    assert (rejection.reason, rejection.detail) == (R.REFIT_MISSING, "refit-x NOT_FINISHED")


def test_refits_of_another_experiment_count_only_when_the_scope_says_so(make: Any, choose: Any) -> None:
    runs = [make.trial("x", 0.9), make.refit("x", experiment="elsewhere")]
    with pytest.raises(NoCandidate):
        choose(runs, "best_metric")
    assert choose(runs, "best_metric", scope={"refits": "scope"}).winner.refit == "refit-x"


def test_a_link_to_a_failed_attempt_of_the_trial_is_a_link(make: Any, choose: Any) -> None:
    failed = make.trial("x", 0.1, ref="failed", run_id="id-failed", status=RunStatus.FAILED)
    result = choose([make.trial("x", 0.9), failed, make.refit("x", refit_of="id-failed")], "best_metric")
    assert (result.winner.trial, result.winner.basis) == ("trial-x", "LINK")
    assert [run.ref for run in result.inputs.cited] == ["failed"]
    assert result.body() == replay(result.body(), result.inputs_json).require_identical().body()


def test_legacy_experiments_of_a_project_are_found_and_ambiguous_ones_skipped() -> None:
    existing = ["p-hpo-svm", "p-hpo-", "q-hpo-svm", "p-hpo-a-hpo-b", "p-benchmark"]
    found, warnings = legacy_experiments("p", existing)
    assert found == ("p-hpo-svm",)
    assert [(w.code, w.refs) for w in warnings] == [(WarningCode.EXPERIMENT_AMBIGUOUS, ("p-hpo-a-hpo-b",))]
    assert legacy_experiments("p", existing, ["p-hpo-a-hpo-b"])[0] == ("p-hpo-a-hpo-b", "p-hpo-svm")


def test_trials_without_a_finite_objective_leave_no_candidate(make: Any, choose: Any) -> None:
    with pytest.raises(NoCandidate, match="METRIC_NOT_FINITE 2"):
        choose([*make.candidate("a", math.nan), *make.candidate("b", math.inf)], "best_metric")


def test_an_objective_that_no_study_has_names_those_that_they_have(make: Any) -> None:
    runs = [make.trial("A", 0.9), make.trial("B", 0.8)]
    with pytest.raises(PolicyInputMissing, match="no study in scope has the objective 'nope'") as caught:
        select(runs, SelectionConfig.parse({"objective": {"metric": "nope"}}))
    assert caught.value.details["known"] == ["acc"]
