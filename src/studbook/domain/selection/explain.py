"""Why the winner won, and why another run did not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..run_view import RunView
from .order import number, round12
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


def explain_winner(result: SelectionResult) -> list[str]:
    """Why the winner won, in plain lines."""
    winner, first = result.winner, result.ranking[0]
    candidates = result.funnel["comparable"]
    lines = [
        (
            f"{winner.trial} of family {winner.family} wins by policy {result.policy}"
            f" among {candidates} candidates ({result.funnel['read']} trials read)."
        ),
        f"Its files come from {_served(result)}.",
    ]
    by_weight = sorted(first.values, key=lambda alias: (-first.contribution.get(alias, 0.0), alias))
    lines.extend(_value_line(result, first, alias) for alias in by_weight)
    if first.score is not None:
        lines.append(_score_line(result, first))
    elif len(result.ranking) > 1:
        lines.append(f"Next comes {result.ranking[1].ref}: {_values(result.ranking[1])}.")
    lines.extend(f"Dropped by {found.step}: {found.ref}: {found.detail}." for found in result.dropped[:3])
    lines.extend(_margin_lines(result))
    lines.extend(
        f"Warning {warning.code}"
        + (
            f" ({', '.join(warning.refs[:3])}{', …' if len(warning.refs) > 3 else ''})"
            if warning.refs
            else ""
        )
        + (f": {warning.detail}." if warning.detail else ".")
        for warning in result.warnings
    )
    return lines


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


def _served(result: SelectionResult) -> str:
    winner = result.winner
    if winner.artifact_run == winner.refit:
        return f"refit {winner.refit} (mapped by {winner.basis})"
    return f"the trial's own run {winner.artifact_run}"


def _value_line(result: SelectionResult, first: Contender, alias: str) -> str:
    line = f"{alias} {number(first.values[alias])}"
    if alias in first.se:
        line += f" ± {number(first.se[alias])}"
    n = result.normalisation.get(alias)
    if n is not None and alias in first.u:
        line += f": utility {first.u[alias]:.4f} x weight {n.weight:.4g} = {first.contribution[alias]:.4f}"
    return line + "."


def _score_line(result: SelectionResult, first: Contender) -> str:
    line = f"Score {first.score:.6f}"
    if len(result.ranking) > 1:
        second = result.ranking[1]
        line += f", ahead of {second.ref} with {second.score:.6f} ({_values(second)}) by {result.margin:.6f}"
    return line + "."


def _values(contender: Contender) -> str:
    return ", ".join(f"{alias} {number(value)}" for alias, value in contender.values.items())


def _margin_lines(result: SelectionResult) -> list[str]:
    lines: list[str] = []
    for alias, weight in result.margins.weights.items():
        low = f"down to {number(weight.lower[0])} (then {weight.lower[1]})" if weight.lower else "down to 0"
        high = f"up to {number(weight.upper[0])} (then {weight.upper[1]})" if weight.upper else "up to 1"
        lines.append(f"It stays the winner with a weight of {alias} {low} and {high}.")
    for label, band in result.margins.bands.items():
        high = f"; at {number(band.upper[0])} {band.upper[1]} would win" if band.upper else ""
        lines.append(
            f"Step {label} allows a gap of {number(band.allowed)};"
            f" the winner's is {number(band.lower[0])}{high}."
        )
    for label, limits in result.margins.limits.items():
        lines.extend(
            f"Step {label}: {m.metric} has {number(m.slack)} left to its bound {number(m.bound)}."
            for m in limits
        )
    return lines
