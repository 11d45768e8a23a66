"""Champions per family."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from studbook.domain.run_view import KeySchema, RunView
from studbook.domain.selection.champions import ChampionReport, choose_champions
from studbook.domain.selection.config import SelectionConfig
from studbook.domain.selection.rejection import RejectionReason as R
from studbook.domain.selection.warning import WarningCode
from studbook.domain.stage import Stage


def study(make: Any, name: str, values: list[float], **fields: Any) -> list[RunView]:
    runs = [
        run
        for i, value in enumerate(values)
        for run in make.candidate(f"{name}{i}", value, study_key=name, **fields)
    ]
    schema = fields.get("key_schema", KeySchema.V3)
    return [
        replace(run, study_key=name, key_schema=schema) if run.stage is Stage.REFIT else run for run in runs
    ]


def champions(runs: list[RunView], **settings: Any) -> ChampionReport:
    return choose_champions(runs, SelectionConfig.parse(settings))


def test_one_champion_a_family_and_a_family_without_one_hides_nothing(make: Any) -> None:
    runs = [
        *study(make, "A", [0.9, 0.8, 0.7], family="svm"),
        *study(make, "B", [0.6, 0.5, 0.4], family="deep-svm"),
        *(run for run in study(make, "C", [0.9, 0.8, 0.7], family="mlp") if run.stage is not Stage.REFIT),
        *study(make, "D", [0.9, 0.8], family="small"),
        *study(make, "E", [0.9], family=None),
    ]
    report = champions(runs)
    assert [(c.family, c.trial) for c in report.champions] == [("deep-svm", "trial-B0"), ("svm", "trial-A0")]
    assert [(family, reason) for family, reason, _ in report.skipped] == [
        ("mlp", R.REFIT_MISSING),
        ("small", R.GROUP_TOO_SMALL),
        ("unknown", R.FAMILY_UNKNOWN),
    ]


def test_the_second_best_trial_never_stands_in_for_a_champion_without_refit(make: Any) -> None:
    runs = [run for run in study(make, "A", [0.9, 0.8, 0.7]) if run.ref != "refit-A0"]
    assert champions(runs).champions == ()
    (champion,) = champions(runs, refit={"requirement": "preferred"}).champions
    assert champion.artifact_run == "trial-A0"


def test_the_first_listed_schema_with_an_eligible_study_is_used(make: Any) -> None:
    legacy = study(make, "L", [0.99, 0.98, 0.97], key_schema=KeySchema.V2)
    runs = [*study(make, "A", [0.6, 0.5, 0.4]), *legacy]
    report = champions(runs)
    assert [c.trial for c in report.champions] == ["trial-A0"]
    assert {r.ref for r in report.rejected if r.reason is R.SCHEMA_EXCLUDED} == {
        f"trial-L{i}" for i in range(3)
    }
    assert [c.trial for c in champions(runs, scope={"mix_schemas": True}).champions] == ["trial-L0"]
    fallback = champions([*study(make, "A", [0.6, 0.5]), *legacy])
    assert [c.trial for c in fallback.champions] == ["trial-L0"]


def test_equal_key_texts_of_two_schemas_are_two_studies(make: Any) -> None:
    old = study(make, "A", [0.5, 0.4], key_schema=KeySchema.V2)
    old = [replace(r, ref=f"old-{r.ref}", run_id=f"old-{r.run_id}") for r in old]
    report = champions([*study(make, "A", [0.6, 0.5]), *old], scope={"mix_schemas": True})
    assert report.champions == ()
    assert [(g.schema, g.n_valid) for g in report.groups] == [(KeySchema.V2, 2), (KeySchema.V3, 2)]


def test_an_even_count_takes_the_mean_of_the_middle_and_top_k_is_clamped(make: Any) -> None:
    report = champions(study(make, "A", [0.9, 0.5, 0.1]), champions={"min_trials": 2, "top_k": 5})
    assert report.champions[0].stable_score == 0.7
    assert [w.code for w in report.warnings] == [WarningCode.TOP_K_CLAMPED]


@pytest.mark.parametrize("reverse", [False, True])
def test_equal_studies_are_told_apart_by_recency_then_key(make: Any, reverse: bool) -> None:
    old, new = study(make, "A", [0.9, 0.8, 0.7]), study(make, "B", [0.9, 0.8, 0.7], started_at=5_000)
    runs = [*old, *new][:: -1 if reverse else 1]
    assert champions(runs).champions[0].trial == "trial-B0"
    same = [*old, *study(make, "B", [0.9, 0.8, 0.7])][:: -1 if reverse else 1]
    assert champions(same).champions[0].trial == "trial-A0"


def test_minimize_takes_the_lowest(make: Any) -> None:
    runs = study(make, "A", [0.9, 0.8, 0.7], objectives=(("acc", "minimize"),))
    assert champions(runs).champions[0].trial == "trial-A2"


def test_selection_among_champions_only(make: Any, choose: Any) -> None:
    runs = [*study(make, "A", [0.9, 0.8, 0.7], family="svm"), *study(make, "B", [0.95, 0.5], family="mlp")]
    result = choose(runs, "best_metric", candidates={"from": "champions"})
    assert result.winner.trial == "trial-A0"
    reasons = {r.ref: r.reason for r in result.rejected}
    assert reasons["trial-A1"] is R.DROPPED
    assert reasons["trial-B0"] is R.GROUP_TOO_SMALL
