"""How far a weight, a band or a limit can move before the winner changes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .candidate import Candidate
from .criteria import Criteria
from .filters import Filtered, allowed_gap, apply_filter, slack, standard_error_of_best
from .order import round12
from .policy import Composite, Constraints, Filter, OneStdError, Ranker, Step, Within
from .rankers import Ranked, rank, weights_of

FlipPoint = tuple[float, str]


@dataclass(frozen=True, slots=True)
class Margin:
    """The present value, and the nearest flip points on each side with the ref that would win; None: none.

    For a weight, of the normalised weights. For a band, `value` is the allowed gap and `lower` the winner's own.
    For a limit, `value` is the bound and `slack` what the winner has left.
    """

    value: float
    lower: FlipPoint | None = None
    upper: FlipPoint | None = None
    slack: float | None = None


def weight_margins(ranker: Composite, ranked: Ranked) -> dict[str, Margin]:
    """Per weight, the interval in which the winner stays; the other weights keep their proportions."""
    total = math.fsum(weights_of(ranker).values())
    weights = {alias: weight / total for alias, weight in weights_of(ranker).items()}
    return {f"weight:{alias}": _weight_margin(alias, weights, ranked) for alias in sorted(weights)}


def filter_margins(
    step: Filter,
    position: int,
    rest: Sequence[Step],
    before: Sequence[Candidate],
    found: Filtered,
    winner: Candidate,
    criteria: Criteria,
) -> dict[str, Margin]:
    """The flip points of a band, or the winner's slack in each limit; `rest` are the steps that follow."""
    label = f"{position}:{step.step}"
    if isinstance(step, Constraints):
        return {
            f"{label}:{limit.metric}:{'max' if limit.max is not None else 'min'}": Margin(
                value=limit.max if limit.max is not None else limit.min or 0.0,
                slack=round12(slack(limit, criteria.value(winner, limit.metric))),
            )
            for limit in step.limits
        }
    if not isinstance(step, Within | OneStdError):
        return {}
    best = criteria.best(before, step.metric)
    if isinstance(step, Within):
        allowed = allowed_gap(step, best)
    else:
        allowed = step.multiplier * standard_error_of_best(step, before, criteria)
    own = criteria.gap(winner, step.metric, best)
    outside = sorted((criteria.gap(c, step.metric, best), c.ref, c) for c, _ in found.dropped)
    return {
        f"{label}:{step.metric}": Margin(
            value=round12(allowed),
            lower=(round12(own), winner.ref),
            upper=_first_flip(outside, found.kept, rest, winner, criteria),
        )
    }


def _first_flip(
    outside: Sequence[tuple[float, str, Candidate]],
    kept: Sequence[Candidate],
    rest: Sequence[Step],
    winner: Candidate,
    criteria: Criteria,
) -> FlipPoint | None:
    """The smallest gap that, let in with all closer ones, changes the winner."""
    admitted = list(kept)
    for index, (gap, _, candidate) in enumerate(outside):
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


def _weight_margin(alias: str, weights: dict[str, float], ranked: Ranked) -> Margin:
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
    return Margin(value=round12(weight), lower=nearest_below, upper=min(upper, default=None))


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
