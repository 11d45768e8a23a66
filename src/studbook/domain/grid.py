"""All points of a search space that has finitely many."""

from __future__ import annotations

from decimal import Decimal
from math import prod

from pydantic import JsonValue

from .distributions import Categorical, Fixed, FloatRange, IntRange
from .errors import StudyInvalid
from .search_space import SearchSpace

MAX_POINTS = 100_000


def grid(space: SearchSpace) -> dict[str, list[JsonValue]]:
    """Each parameter's values, fixed ones included; the points are their product.

    Raises StudyInvalid for a range without a step, and for more than `MAX_POINTS` points.
    """
    sizes = {name: _size(name, space[name]) for name in space.names()}
    points = prod(sizes.values())
    if points > MAX_POINTS:
        raise StudyInvalid(
            f"a grid of {points} points cannot be searched point by point",
            cure=f"use larger steps or fewer choices (at most {MAX_POINTS} points), or the algorithm tpe",
        )
    return {name: _values(space[name]) for name in space.names()}


def _size(name: str, each: FloatRange | IntRange | Categorical | Fixed) -> int:
    if isinstance(each, Fixed):
        return 1
    if isinstance(each, Categorical):
        return len(each.choices)
    if isinstance(each, IntRange):
        return (each.high - each.low) // each.step + 1
    if each.step is None:
        raise StudyInvalid(
            f"study.search_space.{name}: a range of real numbers has no grid",
            cure="give it a step, or use another algorithm than grid",
        )
    return _steps(each, each.step) + 1


def _values(each: FloatRange | IntRange | Categorical | Fixed) -> list[JsonValue]:
    if isinstance(each, Fixed):
        return [each.value]
    if isinstance(each, Categorical):
        return list(each.choices)
    if isinstance(each, IntRange):
        return list(range(each.low, each.high + 1, each.step))
    step = each.step or 1.0
    low, width = Decimal(repr(each.low)), Decimal(repr(step))
    return [float(low + count * width) for count in range(_steps(each, step) + 1)]


def _steps(each: FloatRange, step: float) -> int:
    return round((Decimal(repr(each.high)) - Decimal(repr(each.low))) / Decimal(repr(step)))
