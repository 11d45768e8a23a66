"""How far a weight, a band or a limit can move before the winner changes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from .candidate import Candidate
from .criteria import Criteria
from .filters import Filtered, allowed_gap, apply_filter, slack, standard_error_of_best
from .order import round12
from .policy import Composite, Constraints, OneStdError, Ranker, Step, Within
from .rankers import Ranked, rank

FlipPoint = tuple[float, str]


@dataclass(frozen=True, slots=True)
class WeightMargin:
    """A normalised weight, and the nearest weight on each side at which another ties with the winner."""

    weight: float
    lower: FlipPoint | None
    upper: FlipPoint | None


@dataclass(frozen=True, slots=True)
class BandMargin:
    """An allowed gap: below `lower` the winner itself drops out, at `upper` another wins."""

    allowed: float
    lower: FlipPoint
    upper: FlipPoint | None


@dataclass(frozen=True, slots=True)
class LimitMargin:
    """A bound, and what the winner has left."""

    metric: str
    bound: float
    slack: float


@dataclass(frozen=True, slots=True)
class Margins:
    """Weights by alias; bands and limits by step label (`<position>:<name>`)."""

    weights: dict[str, WeightMargin] = field(default_factory=dict)
    bands: dict[str, BandMargin] = field(default_factory=dict)
    limits: dict[str, tuple[LimitMargin, ...]] = field(default_factory=dict)


def weight_margins(ranker: Composite, ranked: Ranked) -> dict[str, WeightMargin]:
    """Per weight, the interval in which the winner stays; the other weights keep their proportions."""
    total = math.fsum(ranker.weights.values())
    weights = {alias: weight / total for alias, weight in ranker.weights.items()}
    return {alias: _weight_margin(alias, weights, ranked) for alias in sorted(weights)}


def limit_margins(step: Constraints, winner: Candidate, criteria: Criteria) -> tuple[LimitMargin, ...]:
    """The winner's slack in each limit."""
    return tuple(
        LimitMargin(
            metric=limit.metric,
            bound=limit.max if limit.max is not None else limit.min or 0.0,
            slack=round12(slack(limit, criteria.value(winner, limit.metric))),
        )
        for limit in step.limits
    )


def band_margin(
    step: Within | OneStdError,
    rest: Sequence[Step],
    before: Sequence[Candidate],
    found: Filtered,
    winner: Candidate,
    criteria: Criteria,
) -> BandMargin:
    """The flip points of a band; `before` entered it, `rest` are the steps that follow."""
    best = criteria.best(before, step.metric)
    if isinstance(step, Within):
        allowed = allowed_gap(step, best)
    else:
        allowed = step.multiplier * standard_error_of_best(step, before, criteria)
    own = criteria.gap(winner, step.metric, best)
    outside = sorted(
        ((criteria.gap(c, step.metric, best), c) for c, _ in found.dropped),
        key=lambda pair: (pair[0], pair[1].ref),
    )
    upper = _first_flip(outside, found.kept, rest, winner, criteria)
    return BandMargin(round12(allowed), (round12(own), winner.ref), upper)


def _first_flip(
    outside: Sequence[tuple[float, Candidate]],
    kept: Sequence[Candidate],
    rest: Sequence[Step],
    winner: Candidate,
    criteria: Criteria,
) -> FlipPoint | None:
    """The smallest gap that, let in with all closer ones, changes the winner."""
    admitted = list(kept)
    for index, (gap, candidate) in enumerate(outside):
        admitted.append(candidate)
        if index + 1 < len(outside) and outside[index + 1][0] == gap:
            continue
        new_winner = _winner(rest, admitted, criteria)
        if new_winner.ref != winner.ref:
            return (round12(gap), new_winner.ref)
    return None


def _winner(steps: Sequence[Step], candidates: Sequence[Candidate], criteria: Criteria) -> Candidate:
    survivors: Sequence[Candidate] = candidates
    for step in steps:
        if isinstance(step, Ranker):
            return rank(step, survivors, criteria).winner
        survivors = apply_filter(step, survivors, criteria).kept
    raise AssertionError("a policy ends with a ranker")


def _weight_margin(alias: str, weights: dict[str, float], ranked: Ranked) -> WeightMargin:
    weight = weights[alias]
    lower: list[tuple[float, str]] = []
    upper: list[tuple[float, str]] = []
    for other in ranked.order[1:]:
        tied = ranked.scores[other.ref] == ranked.scores[ranked.winner.ref]
        flip = _tie(alias, weights, ranked.u[ranked.winner.ref], ranked.u[other.ref], tied=tied)
        if flip is None:
            continue
        at, sides = flip
        if "lower" in sides:
            lower.append((at, other.ref))
        if "upper" in sides:
            upper.append((at, other.ref))
    nearest_below = min(lower, key=lambda point: (-point[0], point[1]), default=None)
    return WeightMargin(round12(weight), nearest_below, min(upper, default=None))


def _tie(
    alias: str, weights: dict[str, float], winner: dict[str, float], other: dict[str, float], *, tied: bool
) -> tuple[float, frozenset[str]] | None:
    """The weight at which the winner and another tie, and on which side of the present one it lies."""
    weight = weights[alias]
    if len(weights) == 1:
        return (round12(weight), frozenset({"lower", "upper"})) if tied else None
    slope_at_one = winner[alias] - other[alias]
    at_zero = _rest(alias, weights, winner) - _rest(alias, weights, other)
    slope = slope_at_one - at_zero
    if tied:
        sides = {True: {"lower"}, False: {"upper"}}[slope > 0] if slope else {"lower", "upper"}
        return round12(weight), frozenset(sides)
    if slope == 0:
        return None
    at = round12(-at_zero / slope)
    if not 0 <= at <= 1:
        return None
    return at, frozenset({"lower" if at < weight else "upper"})


def _rest(alias: str, weights: dict[str, float], u: dict[str, float]) -> float:
    """The score that the other metrics give alone, in their present proportions."""
    others = [name for name in sorted(weights) if name != alias]
    left = math.fsum(weights[name] for name in others)
    if left == 0:
        return math.fsum(u[name] for name in others) / len(others)
    return math.fsum(weights[name] * u[name] for name in others) / left
