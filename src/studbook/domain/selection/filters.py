"""The filters of a policy: who stays, and why the others go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import NoCandidate, PolicyInputMissing
from .candidate import Candidate
from .criteria import Criteria
from .order import EPS, number
from .policy import Constraints, Filter, Limit, OneStdError, Pareto, Within
from .warning import SelectionWarning, WarningCode


@dataclass(frozen=True, slots=True)
class Filtered:
    """Survivors, and the dropped with the reason (for pareto: given once there is a ranking)."""

    kept: tuple[Candidate, ...]
    dropped: tuple[tuple[Candidate, str], ...]
    warnings: tuple[SelectionWarning, ...] = ()


def apply_filter(step: Filter, candidates: Sequence[Candidate], criteria: Criteria) -> Filtered:
    """One filter on the survivors of the step before (at least one)."""
    match step:
        case Constraints():
            return _constraints(step, candidates, criteria)
        case Within():
            return _within(step, candidates, criteria)
        case OneStdError():
            return _one_std_error(step, candidates, criteria)
        case Pareto():
            return _pareto(step, candidates, criteria)


def slack(limit: Limit, value: float) -> float:
    """How far inside the limit a value is; negative outside."""
    if limit.max is not None:
        return limit.max - value
    assert limit.min is not None  # noqa: S101 (validated)
    return value - limit.min


def allowed_gap(step: Within, best: float) -> float:
    """How far from the best value one may be, in the metric's unit."""
    threshold = step.threshold or 0.0
    return threshold * abs(best) if step.relative else threshold


def standard_error_of_best(step: OneStdError, candidates: Sequence[Candidate], criteria: Criteria) -> float:
    """The standard error of the best candidate; raises PolicyInputMissing when it has none."""
    best = criteria.best(candidates, step.metric)
    at_best = [c for c in candidates if criteria.value(c, step.metric) == best]
    leader = min(at_best, key=criteria.tie_chain)
    se = leader.values[step.metric].se
    if se is None:
        raise PolicyInputMissing(
            f"one_std_error needs the standard error of {step.metric}, which the best, {leader.ref}, has not",
            cure="sweep with folds, so that trials have fold scores, or choose the preset threshold_fastest",
            refs=[leader.ref],
            metric=step.metric,
        )
    return se


def _constraints(step: Constraints, candidates: Sequence[Candidate], criteria: Criteria) -> Filtered:
    kept: list[Candidate] = []
    dropped: list[tuple[Candidate, str]] = []
    for candidate in candidates:
        broken = [
            limit for limit in step.limits if slack(limit, criteria.value(candidate, limit.metric)) < -EPS
        ]
        if broken:
            dropped.append((candidate, "; ".join(_breach(candidate, limit, criteria) for limit in broken)))
        else:
            kept.append(candidate)
    if not kept:
        nearest = min(candidates, key=lambda c: (_violation(c, step, criteria), criteria.tie_chain(c)))
        detail = next(text for candidate, text in dropped if candidate.ref == nearest.ref)
        raise NoCandidate(
            f"no candidate respects the constraints; the nearest is {nearest.ref}: {detail}",
            cure="relax the limits of the policy, or add candidates",
            nearest=nearest.ref,
            dropped=[(candidate.ref, text) for candidate, text in dropped],
        )
    return Filtered(tuple(kept), tuple(dropped))


def _violation(candidate: Candidate, step: Constraints, criteria: Criteria) -> tuple[int, float]:
    """Limits broken, then the largest excess as a share of its bound."""
    excess = [
        -found / max(abs(limit.max if limit.max is not None else limit.min or 0.0), EPS)
        for limit in step.limits
        if (found := slack(limit, criteria.value(candidate, limit.metric))) < -EPS
    ]
    return (len(excess), max(excess, default=0.0))


def _breach(candidate: Candidate, limit: Limit, criteria: Criteria) -> str:
    value = number(criteria.value(candidate, limit.metric))
    if limit.max is not None:
        return f"{limit.metric} {value} > {number(limit.max)}"
    return f"{limit.metric} {value} < {number(limit.min or 0.0)}"


def _within(step: Within, candidates: Sequence[Candidate], criteria: Criteria) -> Filtered:
    best = criteria.best(candidates, step.metric)
    allowed = allowed_gap(step, best)
    gain = None if step.min_gain is None else step.min_gain * (abs(best) if step.relative else 1.0)
    kept: list[Candidate] = []
    dropped: list[tuple[Candidate, str]] = []
    for candidate in candidates:
        gap = criteria.gap(candidate, step.metric, best)
        shown = (
            f"{step.metric} {number(criteria.value(candidate, step.metric))} is {number(gap)} from the best"
        )
        if gap > allowed + EPS:
            dropped.append((candidate, f"{shown} {number(best)}; allowed {number(allowed)}"))
        elif gain is not None and gap != 0 and gap >= gain - EPS:
            dropped.append(
                (candidate, f"{shown} {number(best)}; a gain of {number(gain)} is worth waiting for")
            )
        else:
            kept.append(candidate)
    warnings: tuple[SelectionWarning, ...] = ()
    if step.min_gain is not None and step.min_gain >= (step.threshold or 0.0):
        detail = f"min_gain {number(step.min_gain)} is no less than the threshold"
        warnings = (SelectionWarning(WarningCode.MIN_GAIN_INERT, (), detail),)
    return Filtered(tuple(kept), tuple(dropped), warnings)


def _one_std_error(step: OneStdError, candidates: Sequence[Candidate], criteria: Criteria) -> Filtered:
    best = criteria.best(candidates, step.metric)
    allowed = step.multiplier * standard_error_of_best(step, candidates, criteria)
    kept: list[Candidate] = []
    dropped: list[tuple[Candidate, str]] = []
    for candidate in candidates:
        gap = criteria.gap(candidate, step.metric, best)
        if gap <= allowed + EPS:
            kept.append(candidate)
        else:
            shown = f"{step.metric} {number(criteria.value(candidate, step.metric))} is {number(gap)}"
            allowance = f"{number(step.multiplier)} se = {number(allowed)}"
            dropped.append((candidate, f"{shown} from the best {number(best)}; allowed {allowance}"))
    return Filtered(tuple(kept), tuple(dropped))


def _pareto(step: Pareto, candidates: Sequence[Candidate], criteria: Criteria) -> Filtered:
    points = {c.ref: tuple(criteria.ascending(c, alias) for alias in step.metrics) for c in candidates}
    # Whoever dominates a point comes before it in lexicographic order, so only the front so far can.
    front: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda c: points[c.ref]):
        if not any(dominates(points[other.ref], points[candidate.ref]) for other in front):
            front.append(candidate)
    kept = {candidate.ref for candidate in front}
    return Filtered(
        tuple(c for c in candidates if c.ref in kept), tuple((c, "") for c in candidates if c.ref not in kept)
    )


def dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Whether `one` is no worse in all and better in one; smaller is better."""
    return one != other and all(mine <= theirs for mine, theirs in zip(one, other, strict=True))


def dominated_detail(step: Pareto, loser: Candidate, order: Sequence[Candidate], criteria: Criteria) -> str:
    """Who dominates a dropped candidate: the first in the final order that does."""
    point = tuple(criteria.ascending(loser, alias) for alias in step.metrics)
    for candidate in order:
        if dominates(tuple(criteria.ascending(candidate, alias) for alias in step.metrics), point):
            return f"dominated by {candidate.ref} in {', '.join(step.metrics)}"
    raise AssertionError(f"{loser.ref} was dropped by pareto and nothing dominates it")
