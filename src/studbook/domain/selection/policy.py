"""Policies: filters, then one ranker, out of a closed set, so that a record replays without user code."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from ..value import Described, Value
from .metric import OBJECTIVE, Finite


class Scale(StrEnum):
    """What a utility is measured against: the contenders' own extremes, or declared bounds."""

    CANDIDATES = "candidates"
    REFERENCE = "reference"


class Limit(Described):
    """A bound on one metric: `max` or `min`, in the metric's unit."""

    metric: str
    """An alias."""
    max: Finite | None = None
    """The largest value that passes."""
    min: Finite | None = None
    """The smallest value that passes."""

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if (self.max is None) == (self.min is None):
            raise ValueError("give max or min, one of them")
        return self


class Constraints(Described):
    """Keep what respects every limit."""

    step: Literal["constraints"] = "constraints"
    limits: tuple[Limit, ...] = Field(min_length=1)
    """The limits, each with `max` or `min`."""


class Within(Described):
    """Keep what is near enough to the best value; `threshold` None keeps the best value only.

    A relative threshold is the share of the best value that may be lost.
    """

    step: Literal["within"] = "within"
    metric: str = OBJECTIVE
    """An alias."""
    threshold: float | None = Field(ge=0, allow_inf_nan=False)
    """The gap that is allowed; null: the best value only."""
    relative: bool = False
    """Whether the threshold is the share of the best value that may be lost."""
    min_gain: float | None = Field(None, ge=0, allow_inf_nan=False)
    """A gap of this size or more is dropped, although the threshold allows it."""

    @model_validator(mode="after")
    def _share_to_lose(self) -> Self:
        if self.relative and self.threshold is not None and self.threshold > 0.5:
            raise ValueError(
                f"a relative threshold is the share one may lose: {self.threshold} would lose more than half;"
                f" to keep {self.threshold:.0%} of the best write {1 - self.threshold:.2g}"
            )
        return self


class OneStdError(Described):
    """Keep what lies within a multiple of the best value's standard error."""

    step: Literal["one_std_error"] = "one_std_error"
    metric: str = OBJECTIVE
    """An alias."""
    multiplier: float = Field(1.0, ge=0, allow_inf_nan=False)
    """How many standard errors."""


class Pareto(Described):
    """Keep what no other is at least as good as in all metrics and better than in one."""

    step: Literal["pareto"] = "pareto"
    metrics: tuple[str, ...] = Field(min_length=2)
    """Two aliases or more."""

    @field_validator("metrics")
    @classmethod
    def _distinct(cls, metrics: tuple[str, ...]) -> tuple[str, ...]:
        return _distinct(metrics)


Weights = dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]]


class Composite(Described):
    """Rank by the weighted sum of utilities, higher first."""

    step: Literal["composite"] = "composite"
    weights: Weights = Field(min_length=1)
    """By alias."""
    scale: Scale = Scale.CANDIDATES
    """What utilities are measured against: the contenders' extremes, or `bounds`."""
    normalize_weights: bool = True
    """Whether the weights are scaled to the sum 1."""

    @field_validator("weights")
    @classmethod
    def _some_weight(cls, weights: Weights) -> Weights:
        return _some_weight(weights)


class Ideal(Described):
    """Rank by the weighted distance from the ideal point, lower first; equal weights unless given."""

    step: Literal["ideal"] = "ideal"
    metrics: tuple[str, ...] = Field(min_length=1)
    """Aliases."""
    weights: Weights | None = None
    """By alias; null: equal."""
    scale: Scale = Scale.CANDIDATES
    """What utilities are measured against: the contenders' extremes, or `bounds`."""

    @model_validator(mode="after")
    def _weights_of_metrics(self) -> Self:
        _distinct(self.metrics)
        if self.weights is not None:
            _some_weight(self.weights)
            if set(self.weights) != set(self.metrics):
                raise ValueError("weights must name exactly the metrics")
        return self


class Preference(Described):
    """One metric of a lexicographic order, and how far from the best still counts as best."""

    metric: str
    """An alias."""
    tolerance: float = Field(0.0, ge=0, allow_inf_nan=False)
    """How far from the best still counts as best."""
    relative: bool = False
    """Whether the tolerance is a share of the best value."""


class Lexicographic(Described):
    """Rank metric by metric: who stays within the tolerance of the best longest comes first."""

    step: Literal["lexicographic"] = "lexicographic"
    metrics: tuple[Preference, ...] = Field(min_length=1)
    """Aliases, the most important first; each alone, or with a tolerance."""

    @field_validator("metrics", mode="before", json_schema_input_type=tuple[Preference | str, ...])
    @classmethod
    def _aliases(cls, metrics: Any) -> Any:
        if not isinstance(metrics, list | tuple):
            return metrics
        return tuple({"metric": entry} if isinstance(entry, str) else entry for entry in metrics)

    @field_validator("metrics")
    @classmethod
    def _distinct(cls, metrics: tuple[Preference, ...]) -> tuple[Preference, ...]:
        _distinct(tuple(entry.metric for entry in metrics))
        return metrics


Filter = Constraints | Within | OneStdError | Pareto
Ranker = Composite | Ideal | Lexicographic
Step = Annotated[Filter | Ranker, Field(discriminator="step")]

STEPS: dict[str, type[Value]] = {
    "constraints": Constraints,
    "within": Within,
    "one_std_error": OneStdError,
    "pareto": Pareto,
    "composite": Composite,
    "ideal": Ideal,
    "lexicographic": Lexicographic,
}


class Policy(Value):
    """A named decision rule: filters first, exactly one ranker last."""

    name: str
    steps: tuple[Step, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _ranker_last(self) -> Self:
        if not isinstance(self.steps[-1], Ranker) or any(
            isinstance(step, Ranker) for step in self.steps[:-1]
        ):
            raise ValueError(
                "a policy is filters (constraints, within, one_std_error, pareto), then exactly one ranker"
                " (composite, ideal, lexicographic)"
            )
        return self

    @property
    def filters(self) -> tuple[Filter, ...]:
        """All steps but the last."""
        return tuple(step for step in self.steps if not isinstance(step, Ranker))

    @property
    def ranker(self) -> Ranker:
        """The last step."""
        last = self.steps[-1]
        assert isinstance(last, Ranker)  # noqa: S101 (validated)
        return last

    @property
    def reads(self) -> tuple[str, ...]:
        """The aliases the policy reads, each once, in order of first use."""
        return tuple(dict.fromkeys(alias for step in self.steps for alias in step_reads(step)))


def step_reads(step: Filter | Ranker) -> tuple[str, ...]:
    """The aliases that one step reads."""
    match step:
        case Constraints():
            return tuple(limit.metric for limit in step.limits)
        case Within() | OneStdError():
            return (step.metric,)
        case Pareto() | Ideal():
            return step.metrics
        case Composite():
            return tuple(sorted(step.weights))
        case Lexicographic():
            return tuple(entry.metric for entry in step.metrics)


def _distinct(aliases: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(aliases)) != len(aliases):
        raise ValueError("a metric is named twice")
    return aliases


def _some_weight(weights: Weights) -> Weights:
    if not any(weights.values()):
        raise ValueError("at least one weight must be above 0")
    return weights


_FASTEST = Lexicographic(metrics=(Preference(metric="latency"), Preference(metric=OBJECTIVE)))
PRESETS: dict[str, Policy] = {
    policy.name: policy
    for policy in (
        Policy(name="accuracy_latency", steps=(Composite(weights={OBJECTIVE: 0.7, "latency": 0.3}),)),
        Policy(name="best_metric", steps=(Lexicographic(metrics=(Preference(metric=OBJECTIVE),)),)),
        Policy(name="threshold_fastest", steps=(Within(threshold=0.015, relative=True), _FASTEST)),
        Policy(
            name="pareto_ideal",
            steps=(Pareto(metrics=(OBJECTIVE, "latency")), Ideal(metrics=(OBJECTIVE, "latency"))),
        ),
        Policy(name="one_se_fastest", steps=(OneStdError(), _FASTEST)),
    )
}
