"""From folds to a trial's value, and from values to the trials that nothing beats."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from .study import Direction, FoldAggregate


@dataclass(frozen=True, slots=True)
class FoldSummary:
    """The values of k folds. `std` is the sample's (k - 1), `se` is std / √k; both None for one fold."""

    value: float
    std: float | None
    se: float | None


def mean(values: Sequence[float]) -> float:
    """The mean, summed without rounding errors (`math.fsum`)."""
    return math.fsum(values) / len(values)


def sample_std(values: Sequence[float]) -> float:
    """The sample standard deviation, with n - 1. Needs two values."""
    center = mean(values)
    return math.sqrt(math.fsum((value - center) ** 2 for value in values) / (len(values) - 1))


def aggregate(values: Sequence[float], how: FoldAggregate, direction: Direction) -> float:
    """The trial's value: the folds' mean, median or worst. Needs at least one value, all finite."""
    if how is FoldAggregate.MEAN:
        return mean(values)
    if how is FoldAggregate.MEDIAN:
        return float(statistics.median(values))
    return min(values) if direction is Direction.MAXIMIZE else max(values)


def summarise_folds(values: Sequence[float], how: FoldAggregate, direction: Direction) -> FoldSummary:
    """The trial's value with its spread over the folds, in fold order."""
    value = aggregate(values, how, direction)
    if len(values) < 2:
        return FoldSummary(value, None, None)
    std = sample_std(values)
    return FoldSummary(value, std, std / math.sqrt(len(values)))


def is_better(value: float, than: float, direction: Direction) -> bool:
    """Whether `value` is strictly better."""
    return value > than if direction is Direction.MAXIMIZE else value < than


def dominates(ours: Sequence[float], theirs: Sequence[float], directions: Sequence[Direction]) -> bool:
    """Whether `ours` is no worse in all objectives and better in one."""
    pairs = list(zip(ours, theirs, directions, strict=True))
    return not any(is_better(b, a, way) for a, b, way in pairs) and any(
        is_better(a, b, way) for a, b, way in pairs
    )


def pareto_set(points: Sequence[Sequence[float]], directions: Sequence[Direction]) -> tuple[int, ...]:
    """The positions of the points that no other dominates, in order; equal points stay together."""
    return tuple(
        i
        for i, point in enumerate(points)
        if not any(dominates(other, point, directions) for other in points)
    )
