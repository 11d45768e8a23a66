"""What a metric of a decision is: where it is read, which way is better, what counts as a value."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from ..run_view import RunView
from ..study import Direction
from ..value import Described
from .order import LARGEST, finite, number
from .rejection import RejectionReason

Finite = Annotated[float, Field(allow_inf_nan=False)]
Range = tuple[Finite, Finite]

OBJECTIVE = "objective"
"""The alias that always exists: the objective metric of the trial."""


class MetricFrom(StrEnum):
    """The run a metric is read from; `artifact`: a number that the caller joined to the served run."""

    TRIAL = "trial"
    REFIT = "refit"
    BENCHMARK = "benchmark"
    ARTIFACT = "artifact"


class Transform(StrEnum):
    """What is compared by the composite and ideal rankers: v, or ln v."""

    LINEAR = "linear"
    LOG = "log"

    def apply(self, value: float) -> float:
        """The transformed value; `log` needs a value above 0."""
        return math.log(value) if self is Transform.LOG else value


class Bounds(Described):
    """The values that score 0 and 1 on the scale `reference`, in the metric's unit."""

    worst: Finite
    """The value that scores 0."""
    best: Finite
    """The value that scores 1."""


class MetricSpec(Described):
    """One alias: source, the metric's stored name, direction, and how it is scaled.

    `range` is closed; `min_range` is in units of the transformed value.
    """

    model_config = ConfigDict(populate_by_name=True)

    source: MetricFrom = Field(alias="from")
    """The run that it is read from."""
    name: str = Field(min_length=1)
    """The metric's name on that run."""
    direction: Direction
    """Which way is better."""
    range: Range | None = None
    """Values outside of `[lowest, highest]` are rejected."""
    min_range: float = Field(0.0, ge=0, allow_inf_nan=False)
    """The least spread that utilities are scaled by, in units of the transformed value."""
    transform: Transform = Transform.LINEAR
    """What the rankers `composite` and `ideal` compare: the value, or its logarithm."""
    bounds: Bounds | None = None
    """The values that score 0 and 1 on the scale `reference`."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.range is not None and not self.range[0] < self.range[1]:
            raise ValueError("range must be [lo, hi] with lo < hi")
        if self.bounds is not None:
            better = self.bounds.best - self.bounds.worst
            if better == 0 or (better > 0) is not (self.direction is Direction.MAXIMIZE):
                raise ValueError(
                    f"bounds.best must be better than bounds.worst when direction is {self.direction}"
                )
            if self.transform is Transform.LOG and min(self.bounds.best, self.bounds.worst) <= 0:
                raise ValueError("transform log needs bounds above 0")
        return self

    @property
    def stored_name(self) -> str:
        """The name among a run's metrics."""
        return f"artifact.{self.name}" if self.source is MetricFrom.ARTIFACT else self.name

    def stored_value(self, run: RunView) -> object:
        """The stored number, or None."""
        return run.metrics.get(self.stored_name)

    def fault(self, value: object) -> tuple[RejectionReason, str] | None:
        """Why a stored value cannot take part, or None."""
        if value is None:
            return RejectionReason.METRIC_MISSING, self.name
        if not finite(value):
            return RejectionReason.METRIC_NOT_FINITE, self.name
        assert isinstance(value, int | float)  # noqa: S101 (finite says so)
        lowest, highest = self.range or (-LARGEST, LARGEST)
        positive = self.range is None and self.source is MetricFrom.BENCHMARK and self.name.endswith("_ms")
        if not lowest <= value <= highest or ((positive or self.transform is Transform.LOG) and value <= 0):
            return RejectionReason.METRIC_OUT_OF_RANGE, f"{self.name} = {number(value)}"
        return None
