"""The record: its keys, replay, staleness and explanations."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from studbook.domain.errors import ReplayMismatch, SelectionRecordCorrupt
from studbook.domain.run import RunStatus
from studbook.domain.run_view import RunView
from studbook.domain.selection.config import SelectionConfig
from studbook.domain.selection.explain import explain_winner
from studbook.domain.selection.inputs import Inputs, RunSet, sha256
from studbook.domain.selection.rejection import RejectionReason
from studbook.domain.selection.replay import ReplayVerdict, replay
from studbook.domain.selection.select import select
from studbook.domain.selection.staleness import StaleReason, drift, stale_reasons
from studbook.domain.selection.why_not import Outcome, why_not

STEPS = [
    {"step": "constraints", "limits": [{"metric": "latency", "max": 40}]},
    {"step": "composite", "weights": {"objective": 0.6, "latency": 0.4}},
]


@pytest.fixture
def runs(make: Any) -> list[RunView]:
    """Three contenders, one too slow, one rejected, one not benchmarked, one running."""
    rejected = [make.trial("nan", math.nan), make.refit("nan"), make.benchmark("nan", 5)]
    return [
        *make.candidate("A", 0.90, 30),
        *make.candidate("B", 0.88, 12),
        *make.candidate("C", 0.84, 8),
        *make.candidate("slow", 0.99, 80),
        *rejected,
        make.trial("bare", 0.95),
        make.trial("late", 0.95, status=RunStatus.RUNNING),
    ]


def test_the_body_is_canonical_and_its_digests_hold(runs: list[RunView], choose: Any) -> None:
    result = choose(runs, STEPS)
    body = json.loads(result.body())
    assert (body["schema"], body["rules"]) == ("studbook.selection/1", 1)
    assert body["inputs_digest"] == sha256(result.inputs_json)
    assert body["candidate_set"]["complete"] is True
    assert body["winner"]["trial"] == "trial-B"
    assert b"id-trial" not in result.body() + result.inputs_json
    deciding = json.loads(result.inputs_json)
    del deciding["screened"]
    assert result.selection_key == sha256(
        json.dumps(deciding, sort_keys=True, separators=(",", ":")).encode()
    )


def test_backend_ids_stay_outside_the_body(runs: list[RunView], choose: Any) -> None:
    moved = [
        replace(run, run_id=f"x{run.run_id}", refit_of=f"x{run.refit_of}" if run.refit_of else None)
        for run in runs
    ]
    assert choose(moved, STEPS).body() == choose(runs, STEPS).body()
    assert choose(moved, STEPS).locations["trial-B"] == "xid-trial-B"


def test_the_digest_of_a_set_does_not_depend_on_order(runs: list[RunView]) -> None:
    assert RunSet.of(runs) == RunSet.of(runs[::-1])
    assert RunSet.of(runs).digest != RunSet.of(runs[1:]).digest
    assert len(RunSet.of(runs[:1]).digest) == 64


def test_a_run_that_starts_changes_nothing_and_one_that_finishes_does(
    runs: list[RunView], make: Any, choose: Any
) -> None:
    key = choose(runs, STEPS).selection_key
    started = make.trial("new", 0.9, status=RunStatus.RUNNING, ended_at=None)
    assert choose([*runs, started], STEPS).selection_key == key
    assert choose([*runs, replace(started, status=RunStatus.FINISHED)], STEPS).selection_key != key
    refit = make.refit("B", ref="refit-B2", run_id="id2", attempt=2, status=RunStatus.RUNNING)
    assert choose([*runs, refit], STEPS).selection_key == key


def test_inputs_survive_their_bytes(runs: list[RunView], choose: Any) -> None:
    inputs = choose(runs, STEPS).inputs
    assert Inputs.from_bytes(inputs.to_bytes()).to_bytes() == inputs.to_bytes()


def test_replay_gives_the_same_bytes(runs: list[RunView], choose: Any) -> None:
    result = choose(runs, STEPS)
    again = replay(result.body(), result.inputs_json)
    assert again.verdict is ReplayVerdict.IDENTICAL
    assert again.require_identical().winner == result.winner


def test_replay_names_what_differs(runs: list[RunView], choose: Any) -> None:
    result = choose(runs, STEPS)
    forged = json.loads(result.body())
    forged["winner"]["trial"] = "trial-A"
    again = replay(json.dumps(forged).encode(), result.inputs_json)
    assert again.verdict is ReplayVerdict.DIFFERENT
    assert [(d.pointer, d.recorded, d.recomputed) for d in again.differences] == [
        ("/winner/trial", "trial-A", "trial-B")
    ]
    with pytest.raises(ReplayMismatch, match="/winner/trial"):
        again.require_identical()


def test_replay_refuses_altered_inputs_and_unknown_rules(runs: list[RunView], choose: Any) -> None:
    result = choose(runs, STEPS)
    with pytest.raises(SelectionRecordCorrupt, match="digest"):
        replay(result.body(), result.inputs_json.replace(b"0.88", b"0.98"))
    with pytest.raises(SelectionRecordCorrupt, match="parse"):
        replay(b"{", result.inputs_json)
    other = json.dumps({**json.loads(result.body()), "rules": 99}).encode()
    assert replay(other, result.inputs_json).verdict is ReplayVerdict.RULES_UNKNOWN


@pytest.mark.parametrize(
    ("ref", "outcome"),
    [
        ("trial-B", Outcome.WINNER),
        ("refit-B", Outcome.WINNER),
        ("id-trial-A", Outcome.OUTRANKED),
        ("trial-slow", Outcome.DROPPED),
        ("trial-nan", Outcome.REJECTED),
        ("trial-late", Outcome.SCREENED),
        ("trial-bare", Outcome.SCREENED),
        ("elsewhere", Outcome.NOT_IN_SET),
    ],
)
def test_why_not(runs: list[RunView], choose: Any, ref: str, outcome: Outcome) -> None:
    assert why_not(choose(runs, STEPS), ref).outcome is outcome


def test_why_not_says_what_would_have_to_change(runs: list[RunView], choose: Any) -> None:
    answer = why_not(choose(runs, STEPS), "trial-A")
    objective, latency = answer.metrics
    assert (objective.difference, objective.contribution_difference) == (0.02, 0.2)
    assert (objective.change_u, objective.change) == (None, None)
    assert latency.change_u == pytest.approx((0.727272727273 - 0.6) / 0.4)
    assert latency.change == pytest.approx(0.318181818 * 22, abs=1e-6)


def test_why_not_names_the_reason_and_the_scope_key(runs: list[RunView], make: Any) -> None:
    config = SelectionConfig.parse({"scope": {"families": ["forest"], "experiments": ["hpo"]}})
    result = select(runs, config)
    assert why_not(result, "trial-nan").reason is RejectionReason.METRIC_NOT_FINITE
    other = make.trial("other", 0.99, family="svm")
    assert why_not(result, "trial-other", other).detail == "excluded by scope.families"
    assert why_not(result, "x", replace(other, experiment="e")).detail == "excluded by scope.experiments"


def test_the_winner_is_explained_in_plain_lines(runs: list[RunView], choose: Any) -> None:
    lines = explain_winner(choose(runs, STEPS))
    text = "\n".join(lines)
    assert lines[0].startswith("forest trial-B wins by policy tested among 4 candidates")
    assert "refit refit-B (mapped by LINK)" in lines[1]
    assert "objective 0.88: utility 0.6667 x weight 0.6 = 0.4000" in text
    assert "ahead of forest trial-A with 0.6000" in text
    assert "Dropped by 0:constraints: trial-slow: latency 80 > 40." in text
    assert "weight of objective above 0.2143 (else forest trial-C) and below 0.7105" in text
    assert "IRRELEVANT_ALTERNATIVE (forest trial-C)" in text


@pytest.mark.parametrize("preset", ["best_metric", "threshold_fastest", "pareto_ideal"])
def test_every_kind_of_policy_is_explained_and_replays(runs: list[RunView], choose: Any, preset: str) -> None:
    result = choose(runs, preset)
    assert len(explain_winner(result)) >= 3
    assert replay(result.body(), result.inputs_json).verdict is ReplayVerdict.IDENTICAL


def test_an_older_record_says_why_it_is_stale(runs: list[RunView], make: Any, choose: Any) -> None:
    old = choose(runs, STEPS)

    def stale(result: Any) -> set[StaleReason]:
        return set(stale_reasons(old.inputs_json, old.inputs_digest, result.inputs, old.winner))

    assert stale(choose(runs, STEPS)) == set()
    assert stale(choose(runs, STEPS, noise_z=0)) == {StaleReason.POLICY_CHANGED}
    assert stale(choose(runs, STEPS, scope={"families": ["forest"]})) == {StaleReason.SCOPE_CHANGED}
    assert stale(choose([*runs, *make.candidate("D", 0.1, 9)], STEPS)) == {StaleReason.CANDIDATES_ADDED}
    assert stale(choose([run for run in runs if run.name != "B"], STEPS)) == {
        StaleReason.CANDIDATES_REMOVED,
        StaleReason.CITED_RUN_GONE,
    }
    changed = [replace(run, metrics={"acc": 0.5}) if run.ref == "trial-A" else run for run in runs]
    assert stale(choose(changed, STEPS)) == {StaleReason.VALUES_CHANGED}
    assert [(d.ref, d.field) for d in drift(old.inputs, choose(changed, STEPS).inputs)] == [
        ("trial-A", "metrics")
    ]
    corrupt = stale_reasons(old.inputs_json + b" ", old.inputs_digest, old.inputs)
    assert corrupt == (StaleReason.RECORD_CORRUPT,)
