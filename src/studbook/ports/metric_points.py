"""Which metric points are the same, how a history is ordered, and which point is the latest."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable

from ..domain.store_writes import MetricPoint

_LARGEST = sys.float_info.max


def canonical_value(value: float) -> float:
    """The value as every store gives it back.

    Zero has no sign, and the largest floats stand for the infinities, because SQL stores hold infinity so.
    """
    if math.isnan(value):
        return math.nan
    if abs(value) >= _LARGEST:
        return math.copysign(math.inf, value)
    return float(value) + 0.0


def identity(point: MetricPoint) -> tuple[str, int, int, bool, float]:
    """Name, step, timestamp, whether it is NaN, and the canonical value: points alike in all are one point."""
    nan = math.isnan(point.value)
    return (point.name, point.step, point.timestamp_ms, nan, 0.0 if nan else canonical_value(point.value))


def history_order(point: MetricPoint) -> tuple[int, int, bool, float]:
    """Sorts a history: step, timestamp, value; at one step and timestamp NaN comes last."""
    nan = math.isnan(point.value)
    return (point.step, point.timestamp_ms, nan, 0.0 if nan else canonical_value(point.value))


def latest(points: Iterable[MetricPoint]) -> MetricPoint:
    """The last value of a metric: the largest (step, timestamp, value), NaN below every number."""
    return max(points, key=_age)


def _age(point: MetricPoint) -> tuple[int, int, bool, float]:
    nan = math.isnan(point.value)
    return (point.step, point.timestamp_ms, not nan, 0.0 if nan else canonical_value(point.value))
