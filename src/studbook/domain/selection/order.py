"""How numbers and runs are compared: finiteness, tolerance, rounding, recency."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..run_view import RunView
from ..study import Direction

EPS = 1e-9
"""Thresholds, constraints and tolerances are compared with this much in favour of keeping."""

LARGEST = 1e300
"""Some SQL stores give ±1.797e308 back for ±inf, so that nothing this large counts as finite."""


def finite(value: object) -> bool:
    """Whether a value is a real number that a decision may use: no bool, NaN, infinity or |v| ≥ 1e300."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < LARGEST


def round12(value: float) -> float:
    """Round to 12 decimals, half to even; -0.0 becomes 0.0."""
    return round(value, 12) + 0.0


def median(values: Sequence[float]) -> float:
    """The middle value; of an even count, the mean of the two middle ones."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return math.fsum(ordered[middle - 1 : middle + 1]) / 2


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean, with an exact sum."""
    return math.fsum(values) / len(values)


def standard_error(values: Sequence[float]) -> float | None:
    """Sample standard deviation / √n; None for fewer than two values or any that is not finite."""
    if len(values) < 2 or not all(finite(value) for value in values):
        return None
    centre = mean(values)
    variance = math.fsum((value - centre) ** 2 for value in values) / (len(values) - 1)
    return math.sqrt(variance / len(values))


def ascending(value: float, direction: Direction) -> float:
    """A sort key that puts the better value first."""
    return -value if direction is Direction.MAXIMIZE else value


def best_of(values: Sequence[float], direction: Direction) -> float:
    """The best value in this direction."""
    return max(values) if direction is Direction.MAXIMIZE else min(values)


def gap(value: float, best: float, direction: Direction) -> float:
    """The distance from the best value in the metric's direction; ≥ 0."""
    return best - value if direction is Direction.MAXIMIZE else value - best


def newest_first(run: RunView) -> tuple[int, int, int, str]:
    """The sort key of recency: higher attempt, later start, later end, smaller ref."""
    return (-run.attempt, -run.started_at, -(run.ended_at or 0), run.ref)


def number(value: float) -> str:
    """A number for a reader, in at most 12 significant digits."""
    return format(value, ".12g")


def opposite(direction: Direction) -> Direction:
    """The other direction."""
    return Direction.MINIMIZE if direction is Direction.MAXIMIZE else Direction.MAXIMIZE
