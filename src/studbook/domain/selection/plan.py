"""The plan of one decision: the settings that can change the outcome, with nothing left to look up."""

from __future__ import annotations

from ..value import Value
from .metric import MetricFrom, MetricSpec
from .policy import Policy, Step
from .sections import (
    ArtifactRequirement,
    BenchmarkRule,
    CandidatesConfig,
    ChampionsConfig,
    ObjectiveConfig,
    RefitConfig,
    ScopeConfig,
)


class PolicyPlan(Value):
    """Everything of the settings, besides the scope, that can change the outcome."""

    name: str
    steps: tuple[Step, ...]
    objective: ObjectiveConfig
    metrics: tuple[tuple[str, MetricSpec], ...]
    champions: ChampionsConfig
    refit: RefitConfig
    artifact: ArtifactRequirement
    candidates: CandidatesConfig
    benchmark: BenchmarkRule
    noise_z: float

    @property
    def policy(self) -> Policy:
        """The policy alone."""
        return Policy(name=self.name, steps=self.steps)

    @property
    def benchmark_names(self) -> tuple[str, ...]:
        """The stored names of the benchmark metrics that the policy reads, sorted."""
        reads = set(self.policy.reads)
        return tuple(
            sorted(
                {m.name for alias, m in self.metrics if alias in reads and m.source is MetricFrom.BENCHMARK}
            )
        )

    @property
    def needs_benchmark(self) -> bool:
        """Whether a candidate without a benchmark cannot take part."""
        return bool(self.benchmark_names or self.benchmark.required_metrics)


class SelectionPlan(Value):
    """The normalised settings of one decision: every default filled in, the policy spelt out."""

    scope: ScopeConfig
    policy: PolicyPlan
