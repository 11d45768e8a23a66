"""Which values a trial may report or end with: all finite, as many as objectives, steps increasing."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .errors import InvalidInput, MetricValueInvalid


def objective_values(values: Sequence[float], objectives: int) -> tuple[float, ...]:
    """The values as floats. Raises MetricValueInvalid for NaN or infinity, InvalidInput for a wrong count."""
    if len(values) != objectives:
        raise InvalidInput(
            f"{len(values)} values were told for {objectives} objectives",
            cure="tell one value for each objective, in the study's order",
        )
    return tuple(_finite(value) for value in values)


def intermediate_value(value: float, step: int, last_step: int | None) -> float:
    """The value as a float. Raises MetricValueInvalid for NaN or infinity, InvalidInput for a step back."""
    if step < 0 or (last_step is not None and step <= last_step):
        raise InvalidInput(
            f"step {step} was reported after step {last_step}" if step >= 0 else f"step {step} is negative",
            cure="report steps that increase, from 0",
        )
    return _finite(value)


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise MetricValueInvalid(
            f"the value {value} is not finite",
            cure="fail the trial instead: a point without a number has no value",
        )
    return float(value)
