"""Filters and rankers: who stays, who wins, and what is warned about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from studbook.domain.errors import NoCandidate, PolicyInputMissing
from studbook.domain.run import RunStatus
from studbook.domain.run_view import RunView
from studbook.domain.selection.warning import WarningCode

LEX = {"step": "lexicographic", "metrics": ["latency", "objective"]}


def table(make: Any, rows: Mapping[str, tuple[float, float]], **fields: Any) -> list[RunView]:
    return [run for name, (value, ms) in rows.items() for run in make.candidate(name, value, ms, **fields)]


def order(result: Any) -> list[str]:
    return [row.ref.removeprefix("trial-") for row in result.ranking]


def codes(result: Any) -> set[WarningCode]:
    return {warning.code for warning in result.warnings}


def test_constraints_keep_with_a_tolerance_and_record_the_slack(make: Any, choose: Any) -> None:
    runs = table(make, {"a": (0.9, 10 + 5e-10), "b": (0.8, 4), "c": (0.99, 11)})
    steps = [
        {
            "step": "constraints",
            "limits": [{"metric": "latency", "max": 10}, {"metric": "objective", "min": 0.8}],
        },
        {"step": "lexicographic", "metrics": ["objective"]},
    ]
    result = choose(runs, steps)
    assert order(result) == ["a", "b"]
    assert [(d.ref, d.detail) for d in result.dropped] == [("trial-c", "latency 11 > 10")]
    assert result.margins.limits["0:constraints"][1].slack == pytest.approx(0.1)


def test_an_empty_set_names_the_nearest_miss(make: Any, choose: Any) -> None:
    runs = table(make, {"a": (0.9, 30), "b": (0.8, 12), "c": (0.7, 20)})
    steps = [{"step": "constraints", "limits": [{"metric": "latency", "max": 10}]}, LEX]
    with pytest.raises(NoCandidate, match="nearest is trial-b: latency 12 > 10") as caught:
        choose(runs, steps)
    assert caught.value.details["nearest"] == "trial-b"
    funnel = caught.value.details["funnel"]
    assert (funnel["comparable"], funnel["contenders"]) == (3, 0)  # type: ignore[index]


def test_pareto_keeps_the_front_and_equal_points_and_names_the_dominator(make: Any, choose: Any) -> None:
    rows = {
        "a": (0.9, 30),
        "b": (0.88, 12),
        "twin": (0.88, 12),
        "c": (0.84, 8),
        "d": (0.86, 12),
        "e": (0.84, 9),
    }
    result = choose(table(make, rows), "pareto_ideal")
    assert set(order(result)) == {"a", "b", "twin", "c"}
    assert {d.ref: d.detail for d in result.dropped} == {
        "trial-d": "dominated by trial-b in objective, latency",
        "trial-e": "dominated by trial-c in objective, latency",
    }


def test_ideal_prefers_the_smaller_distance(make: Any, choose: Any) -> None:
    result = choose(table(make, {"a": (1.0, 20), "b": (0.9, 11), "c": (0.0, 10)}), "pareto_ideal")
    assert order(result)[0] == "b"
    assert result.ranking[0].score < result.ranking[1].score


def test_lexicographic_ranks_by_the_step_at_which_one_fell_out(make: Any, choose: Any) -> None:
    rows = {"a": (0.90, 10), "b": (0.89, 5), "c": (0.90, 12), "d": (0.5, 1)}
    steps = [{"step": "lexicographic", "metrics": [{"metric": "objective", "tolerance": 0.01}, "latency"]}]
    result = choose(table(make, rows), steps)
    assert order(result) == ["b", "a", "c", "d"]
    assert {row.score for row in result.ranking} == {None}


def test_the_tie_chain(make: Any, choose: Any) -> None:
    steps = [{"step": "composite", "weights": {"latency": 1, "objective": 0}}]
    assert order(choose(table(make, {"a": (0.8, 5), "b": (0.9, 5)}), steps)) == ["b", "a"]
    later = [*table(make, {"a": (0.9, 5)}), *table(make, {"b": (0.9, 5)}, started_at=9_000)]
    assert order(choose(later, steps)) == ["b", "a"]
    assert order(choose(table(make, {"b": (0.9, 5), "a": (0.9, 5)}), steps)) == ["a", "b"]


def test_one_candidate_wins_with_full_utility(make: Any, choose: Any) -> None:
    result = choose(table(make, {"a": (0.8, 5)}), "accuracy_latency")
    assert result.ranking[0].u == {"objective": 1, "latency": 1}
    assert result.ranking[0].score == 1
    assert result.margin is None
    assert all(m.lower is None and m.upper is None for m in result.margins.weights.values())


def test_candidates_that_tie_have_no_margin(make: Any, choose: Any) -> None:
    margins = choose(table(make, {"a": (0.8, 5), "b": (0.8, 5)}), "accuracy_latency").margins.weights
    assert margins["objective"].lower == margins["objective"].upper == (0.7, "trial-b")


def test_a_trifle_that_is_stretched_is_a_warning_unless_min_range_is_set(make: Any, choose: Any) -> None:
    runs = table(make, {"a": (0.9000, 5), "b": (0.9001, 9)})
    assert WarningCode.NARROW_RANGE in codes(choose(runs, "accuracy_latency"))
    result = choose(runs, "accuracy_latency", objective={"min_range": 0.01})
    assert WarningCode.NARROW_RANGE not in codes(result)
    assert result.winner.trial == "trial-a"


def test_log_transform_compares_ratios(make: Any, choose: Any) -> None:
    latency = {"from": "benchmark", "name": "latency_batch_1_ms", "direction": "minimize", "transform": "log"}
    result = choose(
        table(make, {"a": (0.9, 1), "b": (0.8, 10), "c": (0.7, 100)}),
        "accuracy_latency",
        metrics={"latency": latency},
    )
    assert {row.ref: row.u["latency"] for row in result.ranking}["trial-b"] == pytest.approx(0.5)


def test_reference_bounds_clip_with_a_warning(make: Any, choose: Any) -> None:
    latency = {"from": "benchmark", "name": "latency_batch_1_ms", "direction": "minimize"}
    result = choose(
        table(make, {"a": (0.9, 1), "b": (0.8, 80)}),
        [{"step": "composite", "weights": {"latency": 1}, "scale": "reference"}],
        metrics={"latency": {**latency, "bounds": {"worst": 50, "best": 5}}},
    )
    assert [row.u["latency"] for row in result.ranking] == [1, 0]
    assert WarningCode.OUT_OF_BOUNDS in codes(result)


def test_a_lead_within_the_noise_is_a_warning(make: Any, choose: Any) -> None:
    noisy = {"folds": (0.7, 0.9, 0.8)}
    runs = [*make.candidate("a", 0.80, 5, **noisy), *make.candidate("b", 0.79, 5, **noisy)]
    assert WarningCode.WITHIN_NOISE in codes(choose(runs, "accuracy_latency"))
    assert WarningCode.WITHIN_NOISE not in codes(choose(runs, "accuracy_latency", noise_z=0))
    calm = [
        *make.candidate("a", 0.80, 5, folds=(0.8, 0.8)),
        *make.candidate("b", 0.79, 5, folds=(0.79, 0.79)),
    ]
    assert WarningCode.WITHIN_NOISE not in codes(choose(calm, "accuracy_latency"))


def test_a_winner_whose_study_still_runs_is_a_warning(make: Any, choose: Any) -> None:
    running = make.trial("late", 0.9, status=RunStatus.RUNNING)
    assert WarningCode.STUDY_OPEN in codes(choose([*make.candidate("a", 0.8), running], "best_metric"))


def test_min_gain_no_less_than_the_threshold_is_inert(make: Any, choose: Any) -> None:
    steps = [{"step": "within", "threshold": 0.1, "min_gain": 0.2}, LEX]
    assert WarningCode.MIN_GAIN_INERT in codes(choose(table(make, {"a": (0.9, 9), "b": (0.85, 5)}), steps))


def test_a_null_threshold_keeps_the_best_only(make: Any, choose: Any) -> None:
    steps = [{"step": "within", "threshold": None}, LEX]
    assert order(choose(table(make, {"a": (0.9, 9), "b": (0.89, 5)}), steps)) == ["a"]


def test_a_gap_at_the_threshold_is_kept_in_spite_of_binary_fractions(make: Any, choose: Any) -> None:
    steps = [{"step": "within", "threshold": 0.01}, LEX]
    assert order(choose(table(make, {"a": (0.90, 9), "b": (0.89, 5)}), steps)) == ["b", "a"]


def test_one_std_error_needs_the_error_of_the_best(make: Any, choose: Any) -> None:
    with pytest.raises(PolicyInputMissing, match="trial-a"):
        choose(table(make, {"a": (0.9, 9), "b": (0.89, 5)}), "one_se_fastest")


def test_dropped_candidates_follow_last_filter_first(make: Any, choose: Any) -> None:
    rows = {"a": (0.9, 9), "b": (0.8, 5), "c": (0.95, 90), "d": (0.96, 95)}
    steps = [
        {"step": "constraints", "limits": [{"metric": "latency", "max": 50}]},
        {"step": "within", "threshold": 0.01},
        LEX,
    ]
    result = choose(table(make, rows), steps)
    assert [(d.ref, d.step) for d in result.dropped] == [
        ("trial-b", "1:within"),
        ("trial-d", "0:constraints"),
        ("trial-c", "0:constraints"),
    ]


def test_metrics_come_from_refit_and_files_too(make: Any, choose: Any) -> None:
    metrics = {
        "loss": {"from": "refit", "name": "loss", "direction": "minimize"},
        "size": {"from": "artifact", "name": "total_size", "direction": "minimize"},
    }
    runs = [
        make.trial("a", 0.5),
        make.refit("a", metrics={"loss": 0.2, "artifact.total_size": 10.0}),
        make.trial("b", 0.5),
        make.refit("b", metrics={"loss": 0.2, "artifact.total_size": 5.0}),
        *make.candidate("c", 0.9),
    ]
    result = choose(runs, [{"step": "lexicographic", "metrics": ["loss", "size"]}], metrics=metrics)
    assert order(result) == ["b", "a"]
    assert result.winner.metrics == {"objective": 0.5, "loss": 0.2, "size": 5.0}
    assert [(r.ref, r.reason.value) for r in result.rejected] == [("trial-c", "METRIC_MISSING")]
