"""The section `selection:` of the settings."""

from __future__ import annotations

from typing import Any

import pytest

from studbook.domain.errors import ConfigError, PolicyInvalid
from studbook.domain.run_view import KeySchema
from studbook.domain.selection.config import SelectionConfig
from studbook.domain.selection.plan import SelectionPlan
from studbook.domain.selection.policy import PRESETS

LEX = {"step": "lexicographic", "metrics": ["objective"]}


def own(*steps: Any) -> dict[str, Any]:
    return {"policies": {"mine": list(steps)}}


def test_defaults() -> None:
    config = SelectionConfig.parse({})
    assert config.scope.schemas == (KeySchema.V3, KeySchema.V2)
    assert (config.champions.min_trials, config.champions.top_k) == (3, 3)
    assert (config.refit.requirement, config.artifact) == ("required", "not_unavailable")
    assert (config.policy, config.noise_z) == ("accuracy_latency", 1.0)
    assert (config.record.mode, config.record.list_screened) == ("reuse", 100)
    latency = config.metrics["latency"]
    assert (latency.source, latency.name, latency.direction) == (
        "benchmark",
        "latency_batch_1_ms",
        "minimize",
    )
    assert len(config.benchmark.comparable_on) == 6
    assert set(PRESETS) == {
        "accuracy_latency",
        "best_metric",
        "threshold_fastest",
        "pareto_ideal",
        "one_se_fastest",
    }


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"goal": "max"}, "allowed: scope, objective"),
        ({"polcy": "x"}, "did you mean 'policy'"),
        ({"objective": {"direction": "max"}}, "did you mean 'maximize'"),
        ({"scope": {"shemas": ["v3"]}}, "did you mean 'schemas'"),
        ({"scope": None}, "selection.scope"),
        ({"scope": {"schemas": []}}, "selection.scope.schemas"),
        ({"scope": {"schemas": ["v3", "v3"]}}, "twice"),
        ({"scope": {"assume_schema": "v3"}}, "assume_schema"),
        ({"scope": {"studies": ["abc"]}}, "12,64"),
        ({"champions": {"top_k": 0}}, "selection.champions.top_k"),
        ({"refit": {"requirement": "optional"}}, "required, preferred, trial"),
        ({"objective": {"range": [1, 0]}}, "lo < hi"),
        ({"objective": {"direction": "maximize", "bounds": {"worst": 1, "best": 0}}}, "bounds"),
        ({"benchmark": {"aggregate": "lastest"}}, "did you mean 'latest'"),
        ({"benchmark": {"comparable_on": ["hardwear"]}}, "did you mean 'hardware'"),
        ({"metrics": {"x": {"form": "trial", "name": "a", "direction": "minimize"}}}, "did you mean 'from'"),
        (
            {"metrics": {"objective": {"from": "trial", "name": "a", "direction": "minimize"}}},
            "section objective",
        ),
        ({"policy": "acuracy_latency"}, "did you mean 'accuracy_latency'"),
        ({"policies": {"best_metric": [LEX]}}, "shadow a preset"),
        (own({"step": "withn"}), "did you mean 'within'"),
        (own({"step": "within", "threshold": 0.1, "relativ": True}, LEX), "did you mean 'relative'"),
        (own({"step": "within", "threshold": 0.95, "relative": True}, LEX), "share one may lose"),
        (own({"step": "within", "threshold": 0.1}), "exactly one ranker"),
        (own(LEX, LEX), "exactly one ranker"),
        (own({"step": "composite", "weights": {"latncy": 1}}), "did you mean 'latency'"),
        (own({"step": "composite", "weights": {"objective": -1, "latency": 2}}), "weights.objective"),
        (own({"step": "composite", "weights": {"objective": float("nan")}}), "weights.objective"),
        (own({"step": "composite", "weights": {"objective": 0, "latency": 0}}), "above 0"),
        (own({"step": "pareto", "metrics": ["objective"]}, LEX), "metrics"),
        (own({"step": "constraints", "limits": [{"metric": "latency"}]}, LEX), "max or min"),
        (own({"step": "ideal", "metrics": ["objective"], "weights": {"latency": 1}}), "exactly the metrics"),
        ({"noise_z": -1}, "noise_z"),
        ({"record": {"mode": "resue"}}, "did you mean 'reuse'"),
    ],
)
def test_a_mistake_is_named_with_the_nearest_valid_word(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(PolicyInvalid) as caught:
        SelectionConfig.parse(settings)
    assert isinstance(caught.value, ConfigError)
    assert named in str(caught.value)


def test_the_reference_scale_needs_bounds() -> None:
    steps = [{"step": "composite", "weights": {"objective": 1}, "scale": "reference"}]
    with pytest.raises(PolicyInvalid, match=r"objective\.bounds"):
        SelectionConfig.parse({"policy": "mine", "policies": {"mine": steps}})


def test_own_metrics_stand_beside_latency() -> None:
    size = {"from": "artifact", "name": "total_size", "direction": "minimize"}
    assert list(SelectionConfig.parse({"metrics": {"size": size}}).metrics) == ["latency", "size"]


def test_the_plan_survives_json_and_leaves_out_what_cannot_change_the_outcome() -> None:
    config = SelectionConfig.parse({"scope": {"since": "2024-05-01T00:00:00+02:00"}})
    plan = config.plan(["b", "a", "a"])
    assert SelectionPlan.model_validate_json(plan.model_dump_json(by_alias=True)) == plan
    assert plan.scope.experiments == ("a", "b")
    again = SelectionConfig.parse(
        {"scope": {"since": "2024-04-30T22:00:00Z"}, "record": {"mode": "always_new"}}
    )
    assert again.plan(["a", "b"]).scope.since_ms == plan.scope.since_ms
    assert "record" not in plan.model_dump()
