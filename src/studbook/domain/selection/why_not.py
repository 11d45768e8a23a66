"""Why a run did not win: what became of it, and what would have to change."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..run_view import RunView
from .order import round12
from .policy import Composite
from .rejection import RejectionReason
from .result import Contender, SelectionResult
from .scope import out_of_scope


class Outcome(StrEnum):
    """What became of a run in a selection."""

    WINNER = "WINNER"
    OUTRANKED = "OUTRANKED"
    DROPPED = "DROPPED"
    REJECTED = "REJECTED"
    SCREENED = "SCREENED"
    NOT_IN_SET = "NOT_IN_SET"


@dataclass(frozen=True, slots=True)
class MetricDifference:
    """One metric of an outranked candidate beside the winner's.

    `difference` is value minus the winner's. `change_u` and `change` are the smallest change of this metric
    alone that would win, as a utility and in the (transformed) metric's unit, the bounds held fixed; None:
    none would.
    """

    metric: str
    value: float
    winner_value: float
    difference: float
    u: float | None = None
    contribution: float | None = None
    contribution_difference: float | None = None
    change_u: float | None = None
    change: float | None = None


@dataclass(frozen=True, slots=True)
class WhyNot:
    """The outcome for one run; `candidate` is the trial it stands for, where it is a refit of one."""

    ref: str
    outcome: Outcome
    candidate: str
    rank: int | None = None
    reason: RejectionReason | None = None
    detail: str = ""
    step: str = ""
    metrics: tuple[MetricDifference, ...] = ()


def why_not(result: SelectionResult, ref: str, view: RunView | None = None) -> WhyNot:
    """Why a run was not selected.

    `ref` is a run's ref, or its backend id where the result knows its locations; a refit or served run stands
    for its candidate. For a run that the record does not hold, `view` tells which scope key excluded it.
    """
    ref = next((known for known, run_id in result.locations.items() if run_id == ref), ref)
    for contender in result.ranking:
        if ref in (contender.ref, contender.refit, contender.artifact_run):
            return _ranked(result, contender, ref)
    for outcome, rejections in ((Outcome.DROPPED, result.dropped), (Outcome.REJECTED, result.rejected)):
        for found in rejections:
            if found.ref == ref:
                return WhyNot(ref, outcome, ref, reason=found.reason, detail=found.detail, step=found.step)
    for reason, screened in sorted(result.inputs.screened.reasons.items()):
        if ref in screened.listed:
            return WhyNot(ref, Outcome.SCREENED, ref, reason=reason, step="screen")
    return WhyNot(ref, Outcome.NOT_IN_SET, ref, detail=_outside(result, view))


def _ranked(result: SelectionResult, contender: Contender, ref: str) -> WhyNot:
    first = result.ranking[0]
    if contender.rank == 1:
        return WhyNot(ref, Outcome.WINNER, contender.ref, rank=1)
    shared = [alias for alias in first.values if alias in contender.values]
    return WhyNot(
        ref,
        Outcome.OUTRANKED,
        contender.ref,
        rank=contender.rank,
        detail=f"rank {contender.rank} of {len(result.ranking)}",
        metrics=tuple(_difference(result, contender, alias) for alias in shared),
    )


def _difference(result: SelectionResult, contender: Contender, alias: str) -> MetricDifference:
    first = result.ranking[0]
    value, best = contender.values[alias], first.values[alias]
    if alias not in contender.u:
        return MetricDifference(alias, value, best, round12(value - best))
    change_u, change = _smallest_change(result, contender, alias)
    return MetricDifference(
        metric=alias,
        value=value,
        winner_value=best,
        difference=round12(value - best),
        u=contender.u[alias],
        contribution=contender.contribution[alias],
        contribution_difference=round12(contender.contribution[alias] - first.contribution[alias]),
        change_u=change_u,
        change=change,
    )


def _smallest_change(
    result: SelectionResult, contender: Contender, alias: str
) -> tuple[float | None, float | None]:
    """Δu = (score_W - score_X) / w, and Δt = Δu · span; None when u + Δu > 1 or w = 0."""
    first, n = result.ranking[0], result.normalisation[alias]
    composite = isinstance(result.inputs.plan.policy.policy.ranker, Composite)
    if not composite or first.score is None or contender.score is None or n.weight == 0:
        return None, None
    change = (first.score - contender.score) / n.weight
    if round12(contender.u[alias] + change) > 1:
        return None, None
    return round12(change), round12(change * n.span)


def _outside(result: SelectionResult, view: RunView | None) -> str:
    scope = result.inputs.plan.scope
    if view is not None:
        if scope.experiments and view.experiment not in scope.experiments:
            return "excluded by scope.experiments"
        key = out_of_scope(view, scope)
        if key is not None:
            return f"excluded by {key}"
    hidden = sum(found.count - len(found.listed) for found in result.inputs.screened.reasons.values())
    return (
        f"not in the record; {hidden} screened runs are counted but not listed"
        if hidden
        else "not in the record"
    )
