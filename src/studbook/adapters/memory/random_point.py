"""A point of a search space, drawn with nothing but a random number generator."""

from __future__ import annotations

import math
from decimal import Decimal
from random import Random

from pydantic import JsonValue

from ...domain.distributions import Categorical, Distribution, Fixed, FloatRange, IntRange
from ...domain.search_space import SearchSpace


def random_point(space: SearchSpace, random: Random) -> dict[str, JsonValue]:
    """Each parameter on its own: evenly over its range, its range's logarithm, its grid or its choices."""
    # Sorted, so that the order of declaration does not change what a seed gives.
    drawn = {name: _drawn(space[name], random) for name in sorted(space.names())}
    return space.typed(drawn)


def _drawn(each: Distribution, random: Random) -> JsonValue:
    if isinstance(each, Fixed):
        return each.value
    if isinstance(each, Categorical):
        return random.choice(each.choices)
    if isinstance(each, IntRange):
        if each.log:
            return _clipped(round(_log_uniform(each.low, each.high, random)), each)
        return each.low + each.step * random.randrange((each.high - each.low) // each.step + 1)
    return _real(each, random)


def _real(each: FloatRange, random: Random) -> float:
    if each.log:
        return _clipped(_log_uniform(each.low, each.high, random), each)
    if each.step is None:
        share = random.random()
        return _clipped(each.low * (1 - share) + each.high * share, each)
    low, step = Decimal(repr(each.low)), Decimal(repr(each.step))
    steps = round((Decimal(repr(each.high)) - low) / step)
    return float(low + step * random.randrange(steps + 1))


def _log_uniform(low: float, high: float, random: Random) -> float:
    return math.exp(random.uniform(math.log(low), math.log(high)))


def _clipped(value: float, bounds: FloatRange | IntRange) -> float:
    return min(max(value, bounds.low), bounds.high)
