"""What holds for every set of runs."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from studbook.domain.errors import NoCandidate, PolicyInputMissing, SelectionError
from studbook.domain.run import RunStatus
from studbook.domain.run_view import KeySchema, RunView
from studbook.domain.selection.champions import choose_champions
from studbook.domain.selection.config import SelectionConfig
from studbook.domain.selection.joining import given_up
from studbook.domain.selection.rejection import Rejection, RejectionReason, in_order
from studbook.domain.selection.replay import ReplayVerdict, replay
from studbook.domain.selection.result import SelectionResult
from studbook.domain.selection.screen import TrialIdentity, repeated, trial_identity
from studbook.domain.selection.select import select
from studbook.domain.stored_run import Lifecycle

POLICIES = ["accuracy_latency", "best_metric", "threshold_fastest", "pareto_ideal"]
# Few distinct values, so that ties and duplicates are common.
VALUES = st.sampled_from([0.1, 0.5, 0.51, 0.9, 1.0]) | st.floats(0.001, 1)
STRANGE = st.sampled_from([math.nan, math.inf, -math.inf, 1.7e308])
Row = tuple[float, float | None, dict[str, Any]]

faults = st.sampled_from(
    [
        {},
        {},
        {},
        {"status": RunStatus.FAILED},
        {"lifecycle": Lifecycle.DELETED},
        {"trial_state": "PRUNED"},
        {"objectives": ()},
        {"study_key": None},
        {"started_at": 7},
    ]
)
rows = st.lists(
    st.tuples(VALUES | STRANGE, st.none() | st.sampled_from([1.0, 2.0, 5.0]) | st.floats(0.1, 90), faults),
    min_size=1,
    max_size=7,
)


def build(make: Any, table: list[Row]) -> list[RunView]:
    return [
        run
        for index, (value, ms, fields) in enumerate(table)
        for run in make.candidate(f"{index}", value, ms, **fields)
    ]


def outcome(runs: list[RunView], policy: str) -> SelectionResult | None:
    try:
        return select(runs, SelectionConfig(policy=policy), ["hpo"])
    except (NoCandidate, PolicyInputMissing):
        return None


@given(rows, st.sampled_from(POLICIES), st.randoms(use_true_random=False))
def test_the_order_of_the_runs_does_not_matter(make: Any, table: list[Row], policy: str, random: Any) -> None:
    runs = build(make, table)
    shuffled = runs.copy()
    random.shuffle(shuffled)
    one, other = outcome(runs, policy), outcome(shuffled, policy)
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert (one.body(), one.inputs_json) == (other.body(), other.inputs_json)
        assert one.selection_key == other.selection_key


@given(rows, st.randoms(use_true_random=False))
def test_champions_do_not_depend_on_order(make: Any, table: list[Row], random: Any) -> None:
    runs = build(make, table)
    shuffled = runs.copy()
    random.shuffle(shuffled)
    config = SelectionConfig.parse({"champions": {"min_trials": 2}})
    assert choose_champions(runs, config) == choose_champions(shuffled, config)


@given(rows, st.sampled_from(POLICIES))
def test_a_record_replays_byte_for_byte(make: Any, table: list[Row], policy: str) -> None:
    result = outcome(build(make, table), policy)
    assume(result is not None)
    assert result is not None
    assert replay(result.body(), result.inputs_json).verdict is ReplayVerdict.IDENTICAL


@given(rows, st.sampled_from(POLICIES))
def test_only_finite_values_of_good_trials_win(make: Any, table: list[Row], policy: str) -> None:
    runs = build(make, table)
    result = outcome(runs, policy)
    assume(result is not None)
    assert result is not None
    (winner,) = (run for run in runs if run.ref == result.winner.trial)
    assert abs(winner.metrics["acc"]) < 1e300
    assert (winner.status, winner.lifecycle) == (RunStatus.FINISHED, Lifecycle.ACTIVE)
    assert winner.trial_state == "COMPLETE"


@given(rows)
def test_a_dominated_candidate_never_wins_under_pareto(make: Any, table: list[Row]) -> None:
    result = outcome(build(make, table), "pareto_ideal")
    assume(result is not None)
    assert result is not None
    best = result.winner.metrics
    for row in result.ranking:
        no_worse = row.values["objective"] >= best["objective"] and row.values["latency"] <= best["latency"]
        assert not (no_worse and row.values != best)


@given(rows, st.sampled_from(POLICIES), STRANGE, st.booleans())
def test_a_rejected_run_never_changes_the_winner(
    make: Any, table: list[Row], policy: str, strange: float, deleted: bool
) -> None:
    runs = build(make, table)
    extra = make.candidate("extra", strange, 1.0)
    if deleted:
        extra = [replace(extra[0], lifecycle=Lifecycle.DELETED, metrics={"acc": 1.0}), *extra[1:]]
    one, other = outcome(runs, policy), outcome([*runs, *extra], policy)
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert one.winner == other.winner
        assert [row.ref for row in one.ranking] == [row.ref for row in other.ranking]


@given(rows, st.sampled_from(POLICIES))
def test_the_ranking_is_a_total_order_by_score_then_tie_chain(
    make: Any, table: list[Row], policy: str
) -> None:
    result = outcome(build(make, table), policy)
    assume(result is not None)
    assert result is not None
    assert [row.rank for row in result.ranking] == list(range(1, len(result.ranking) + 1))
    sign = 1 if policy == "pareto_ideal" else -1
    starts = {run.ref: run.started_at for run in result.inputs.pool.trials}
    keys = [
        (
            sign * (row.score if row.score is not None else row.rank),
            -row.values["objective"],
            row.values.get("latency", 0),
            -starts[row.ref],
            row.ref,
        )
        for row in result.ranking
    ]
    if policy in ("accuracy_latency", "pareto_ideal"):
        assert keys == sorted(keys)


@given(rows, st.sampled_from(POLICIES))
def test_every_trial_read_is_accounted_for(make: Any, table: list[Row], policy: str) -> None:
    result = outcome(build(make, table), policy)
    assume(result is not None)
    assert result is not None
    trials = {run.ref for run in result.inputs.pool.trials}
    screened = sum(found.trials for found in result.inputs.screened.reasons.values())
    rejected = {r.ref for r in result.rejected} & trials
    assert result.funnel["read"] == len(table) == len(trials) + screened
    assert len(rejected) + len(result.dropped) + len(result.ranking) == len(trials)
    assert result.funnel["contenders"] == len(result.ranking)


@given(rows, st.sampled_from(["objective", "latency"]), st.floats(0.05, 0.95))
def test_the_winner_stays_inside_its_weight_margins(
    make: Any, table: list[Row], alias: str, share: float
) -> None:
    runs = build(make, table)
    result = outcome(runs, "accuracy_latency")
    assume(result is not None)
    assert result is not None
    margin = result.margins.weights[alias]
    low, high = margin.lower[0] if margin.lower else 0.0, margin.upper[0] if margin.upper else 1.0
    at = low + share * (high - low)
    assume(high - low > 1e-6)
    other = "latency" if alias == "objective" else "objective"
    steps = [{"step": "composite", "weights": {alias: at, other: 1 - at}}]
    moved = select(runs, SelectionConfig.parse({"policy": "moved", "policies": {"moved": steps}}), ["hpo"])
    assert moved.winner.trial == result.winner.trial


@given(rows, st.sampled_from(POLICIES))
def test_nothing_but_selection_errors_is_raised(make: Any, table: list[Row], policy: str) -> None:
    runs = build(make, table)
    strange = [replace(run, trial_key=None, study_key=None, refit_of=None) for run in runs if run.refit_of]
    odd = [replace(run, ref=f"odd-{run.ref}") for run in strange]
    with suppress(SelectionError):
        select([*runs, *odd], SelectionConfig(policy=policy))


@given(st.lists(st.tuples(st.sampled_from(KeySchema), *[st.sampled_from([None, "", "a", "b"])] * 2)))
def test_repeated_trials_are_those_with_the_identity_of_another(
    make: Any, told: list[tuple[KeySchema, str | None, str | None]]
) -> None:
    trials = [
        make.trial(str(number), 0.5, key_schema=schema, study_key=study, trial_key=trial)
        for number, (schema, study, trial) in enumerate(told)
    ]
    groups: dict[TrialIdentity, list[RunView]] = {}
    for run in trials:
        groups.setdefault(trial_identity(run), []).append(run)
    assert repeated(trials) == {identity: runs for identity, runs in groups.items() if len(runs) > 1}


@given(
    st.lists(
        st.builds(
            Rejection,
            st.sampled_from("abc"),
            st.sampled_from(RejectionReason),
            st.sampled_from(["", "\0", "d"]),
        )
    )
)
def test_rejections_are_ordered_by_reason_then_ref(rejections: list[Rejection]) -> None:
    assert in_order(rejections) == sorted(rejections, key=lambda r: (r.reason, r.ref, r.detail))


@given(rows)
def test_runs_that_are_given_up_are_given_once_and_in_order(make: Any, table: list[Row]) -> None:
    runs = build(make, table)
    held = list(runs)
    assert list(given_up(held)) == runs
    assert held == []
