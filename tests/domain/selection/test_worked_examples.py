"""The worked examples of the specification, with their numbers."""

from __future__ import annotations

from typing import Any

import pytest

from studbook.domain.run_view import RunView
from studbook.domain.selection.champions import choose_champions
from studbook.domain.selection.config import SelectionConfig
from studbook.domain.selection.warning import WarningCode

COMPOSITE = [{"step": "composite", "weights": {"objective": 0.6, "latency": 0.4}}]
REFERENCE = [{**COMPOSITE[0], "scale": "reference"}]
BOUNDS = {
    "objective": {"bounds": {"worst": 0.5, "best": 1}},
    "metrics": {
        "latency": {
            "from": "benchmark",
            "name": "latency_batch_1_ms",
            "direction": "minimize",
            "bounds": {"worst": 50, "best": 5},
        }
    },
}


def three(make: Any) -> list[RunView]:
    return [*make.candidate("A", 0.90, 30), *make.candidate("B", 0.88, 12), *make.candidate("C", 0.84, 8)]


def by_name(result: Any, field: str) -> dict[str, Any]:
    return {row.ref.removeprefix("trial-"): getattr(row, field) for row in result.ranking}


def codes(result: Any) -> set[WarningCode]:
    return {warning.code for warning in result.warnings}


def studies(make: Any) -> list[RunView]:
    values = {"X": (0.95, 0.71, 0.70, 0.69), "Y": (0.84, 0.83, 0.80)}
    return [
        run
        for study, found in values.items()
        for value in found
        for run in make.candidate(f"{study}{value}", value, study_key=study)
    ]


def refits_follow(runs: list[RunView]) -> list[RunView]:
    """The refits without study key: the link alone maps them."""
    from dataclasses import replace

    return [replace(run, study_key=None) if run.refit_of else run for run in runs]


@pytest.mark.parametrize(("top_k", "study", "value", "stable"), [(3, "Y", 0.84, 0.83), (1, "X", 0.95, 0.95)])
def test_champion_comes_from_the_study_with_the_better_level(
    make: Any, top_k: int, study: str, value: float, stable: float
) -> None:
    config = SelectionConfig.parse({"champions": {"min_trials": 3, "top_k": top_k}})
    report = choose_champions(refits_follow(studies(make)), config)
    (champion,) = report.champions
    assert (champion.study_key, champion.value, champion.stable_score) == (study, value, stable)
    assert champion.refit == f"refit-{study}{value}"
    assert {g.study_key: g.stable_score for g in report.groups}["X"] == (0.71 if top_k == 3 else 0.95)


def test_composite_on_the_candidates_range(make: Any, choose: Any) -> None:
    result = choose(three(make), COMPOSITE)
    assert by_name(result, "u") == {
        "A": {"objective": 1, "latency": 0},
        "B": {"objective": pytest.approx(0.666667, abs=1e-6), "latency": pytest.approx(0.818182, abs=1e-6)},
        "C": {"objective": 0, "latency": 1},
    }
    assert by_name(result, "score") == {"A": 0.6, "B": pytest.approx(0.727273, abs=1e-6), "C": 0.4}
    assert result.winner.trial == "trial-B"
    assert result.winner.artifact_run == result.winner.refit == "refit-B"
    warning = next(w for w in result.warnings if w.code is WarningCode.IRRELEVANT_ALTERNATIVE)
    assert warning.refs == ("trial-C",)


def test_composite_without_the_irrelevant_candidate_has_another_winner(make: Any, choose: Any) -> None:
    result = choose(three(make)[:6], COMPOSITE)
    assert by_name(result, "score") == {"A": 0.6, "B": 0.4}


def test_composite_on_reference_bounds_is_immune(make: Any, choose: Any) -> None:
    result = choose(three(make), REFERENCE, **BOUNDS)
    expected = {"A": 0.657778, "B": 0.793778, "C": 0.781333}
    assert by_name(result, "score") == {k: pytest.approx(v, abs=1e-6) for k, v in expected.items()}
    assert choose(three(make)[:6], REFERENCE, **BOUNDS).winner.trial == "trial-B"
    assert WarningCode.IRRELEVANT_ALTERNATIVE not in codes(result)


def test_weight_flip_margins(make: Any, choose: Any) -> None:
    margin = choose(three(make), COMPOSITE).margins.weights["objective"]
    assert margin.lower == (pytest.approx(0.214286, abs=1e-6), "trial-C")
    assert margin.upper == (pytest.approx(0.710526, abs=1e-6), "trial-A")


@pytest.mark.parametrize(
    ("min_gain", "kept", "winner"), [(None, {"big", "mid", "small"}, "small"), (0.008, {"big", "mid"}, "mid")]
)
def test_within_keeps_the_band_and_the_fastest_wins(
    make: Any, choose: Any, min_gain: float | None, kept: set[str], winner: str
) -> None:
    table = {"big": (0.800, 40), "mid": (0.796, 22), "small": (0.790, 9), "tiny": (0.70, 3)}
    runs = [run for name, (value, ms) in table.items() for run in make.candidate(name, value, ms)]
    steps = [
        {"step": "within", "threshold": 0.015, "relative": True, "min_gain": min_gain},
        {"step": "lexicographic", "metrics": ["latency", "objective"]},
    ]
    result = choose(runs, steps)
    assert set(by_name(result, "rank")) == kept
    assert result.winner.trial == f"trial-{winner}"
    band = result.margins.bands["0:within"]
    assert band.allowed == 0.012
    assert band.upper == ((0.1, "trial-tiny") if min_gain is None else (0.01, "trial-small"))


def test_one_standard_error(make: Any, choose: Any) -> None:
    runs = [
        *make.candidate("best", 0.81, 20, folds=(0.81, 0.79, 0.83, 0.80, 0.82)),
        *make.candidate("P", 0.805, 10),
        *make.candidate("Q", 0.800, 5),
    ]
    result = choose(runs, "one_se_fastest")
    assert result.winner.trial == "trial-P"
    assert [dropped.ref for dropped in result.dropped] == ["trial-Q"]
    assert by_name(result, "se")["best"]["objective"] == pytest.approx(0.0070711, abs=1e-7)
    assert result.margins.bands["0:one_std_error"].allowed == pytest.approx(0.0070711, abs=1e-7)
