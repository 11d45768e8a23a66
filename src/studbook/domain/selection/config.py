"""The settings of a selection, checked as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from ..value import Described
from .config_problem import policy_invalid
from .metric import OBJECTIVE, MetricSpec
from .plan import PolicyPlan, SelectionPlan
from .policy import PRESETS, Composite, Ideal, Policy, Scale, Step
from .sections import (
    ArtifactRequirement,
    BenchmarkRule,
    CandidatesConfig,
    ChampionsConfig,
    ObjectiveConfig,
    RecordConfig,
    RefitConfig,
    ScopeConfig,
)

_LATENCY = {"from": "benchmark", "name": "latency_batch_1_ms", "direction": "minimize"}


class SelectionConfig(Described):
    """The section `selection:` of the settings. Read it with `parse`, which explains what is wrong."""

    scope: ScopeConfig = ScopeConfig()
    """Which runs may take part."""
    objective: ObjectiveConfig = ObjectiveConfig()
    """What is optimized."""
    champions: ChampionsConfig = ChampionsConfig()
    """When a study has a champion."""
    refit: RefitConfig = RefitConfig()
    """Which refit may stand for a trial."""
    artifact: ArtifactRequirement = ArtifactRequirement.NOT_UNAVAILABLE
    """What must be known about the files of the run that would be served."""
    candidates: CandidatesConfig = CandidatesConfig()
    """Who competes."""
    benchmark: BenchmarkRule = BenchmarkRule()
    """Which benchmarks count."""
    metrics: dict[str, MetricSpec] = Field(
        default_factory=lambda: {"latency": MetricSpec.model_validate(_LATENCY)}
    )
    """The aliases that policies read, beside `objective`, which always exists, and `latency`, unless described anew."""
    policy: str = "accuracy_latency"
    """The policy in force: a preset, or a name in `policies`."""
    policies: dict[str, tuple[Step, ...]] = Field(default_factory=dict)
    """Policies of your own by name: filters, then one ranker."""
    noise_z: float = Field(1.0, ge=0, allow_inf_nan=False)
    """How many standard errors apart winner and runner-up must be, or a warning says so; 0: no warning."""
    record: RecordConfig = RecordConfig()
    """How the decision is stored."""

    @field_validator("metrics", mode="before")
    @classmethod
    def _keep_latency(cls, metrics: Any) -> Any:
        if isinstance(metrics, Mapping) and "latency" not in metrics:
            return {"latency": _LATENCY, **metrics}
        return metrics

    @model_validator(mode="after")
    def _policies_hold(self) -> Self:
        if OBJECTIVE in self.metrics:
            raise ValueError("metrics.objective always exists: describe it in the section objective")
        aliases = {OBJECTIVE, *self.metrics}
        for policy in self._own_policies():
            if policy.name in PRESETS:
                raise ValueError(f"policies.{policy.name} would shadow a preset: choose another name")
            _check_policy(policy, aliases)
        if self.policy not in PRESETS and self.policy not in self.policies:
            raise ValueError(
                _unknown(f"policy {self.policy!r} is not defined", self.policy, [*PRESETS, *self.policies])
            )
        chosen = self.chosen_policy
        _check_policy(chosen, aliases)
        self._check_reference_bounds(chosen)
        return self

    @classmethod
    def parse(cls, settings: Mapping[str, Any]) -> SelectionConfig:
        """The configuration of a mapping; raises PolicyInvalid, naming the nearest valid key or value."""
        try:
            return cls.model_validate(settings)
        except ValidationError as error:
            raise policy_invalid(error, cls) from error

    @property
    def chosen_policy(self) -> Policy:
        """The policy that `policy` names."""
        preset = PRESETS.get(self.policy)
        return preset or Policy(name=self.policy, steps=self.policies[self.policy])

    def plan(self, experiments: Iterable[str] = ()) -> SelectionPlan:
        """What a decision runs by; `experiments` are those that are read, if the settings name none."""
        named = self.scope.experiments or tuple(experiments)
        chosen = self.chosen_policy
        return SelectionPlan(
            scope=self.scope.model_copy(
                update={
                    "experiments": tuple(sorted(set(named))),
                    "studies": tuple(sorted(set(self.scope.studies))),
                    "families": tuple(sorted(set(self.scope.families))),
                }
            ),
            policy=PolicyPlan(
                name=chosen.name,
                steps=chosen.steps,
                objective=self.objective,
                metrics=tuple(self.metrics.items()),
                champions=self.champions,
                refit=self.refit,
                artifact=self.artifact,
                candidates=self.candidates,
                benchmark=self.benchmark,
                noise_z=self.noise_z,
            ),
        )

    def _own_policies(self) -> Iterable[Policy]:
        return (Policy(name=name, steps=steps) for name, steps in self.policies.items())

    def _check_reference_bounds(self, policy: Policy) -> None:
        ranker = policy.ranker
        if not isinstance(ranker, Composite | Ideal) or ranker.scale is not Scale.REFERENCE:
            return
        weights = ranker.weights or dict.fromkeys(policy.reads, 1.0)
        for alias in (alias for alias, weight in weights.items() if weight):
            bounds = self.objective.bounds if alias == OBJECTIVE else self.metrics[alias].bounds
            if bounds is None:
                place = "objective.bounds" if alias == OBJECTIVE else f"metrics.{alias}.bounds"
                raise ValueError(f"scale reference needs {place}: {{worst, best}}")


def _check_policy(policy: Policy, aliases: set[str]) -> None:
    unknown = [alias for alias in policy.reads if alias not in aliases]
    if unknown:
        problem = f"policy {policy.name!r} reads {unknown[0]!r}, which is no alias"
        raise ValueError(_unknown(problem, unknown[0], sorted(aliases)))


def _unknown(problem: str, given: str, allowed: list[str]) -> str:
    nearest = get_close_matches(given, allowed, n=1, cutoff=0.4)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    return f"{problem}; {hint}allowed: {', '.join(allowed)}"
