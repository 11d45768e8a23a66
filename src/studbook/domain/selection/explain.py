"""Why the winner won, in lines for people."""

from __future__ import annotations

from collections.abc import Callable

from .result import Contender, SelectionResult
from .warning import SelectionWarning

_LISTED = 3


def explain_winner(result: SelectionResult) -> list[str]:
    """Why the winner won: against whom, by which values and weights, and how far that holds."""
    winner, first = result.winner, result.ranking[0]
    names = _Names(result)
    lines = [
        (
            f"{names.of(winner.trial)} wins by policy {result.policy} among {result.funnel['comparable']} candidates"
            f" ({result.funnel['read']} trials read)."
        ),
        f"Its files come from {_served(result)}.",
    ]
    by_weight = sorted(first.values, key=lambda alias: (-first.contribution.get(alias, 0.0), alias))
    lines.extend(_value_line(result, first, alias) for alias in by_weight)
    if first.score is not None:
        lines.append(_score_line(result, first, names))
    elif len(result.ranking) > 1:
        lines.append(f"Next comes {names.of(result.ranking[1].ref)}: {_values(result.ranking[1])}.")
    lines.extend(
        f"Dropped by {found.step}: {names.of(found.ref)}: {found.detail}."
        for found in result.dropped[:_LISTED]
    )
    lines.extend(_margin_lines(result, names))
    lines.extend(warning_line(warning, names.of) for warning in result.warnings)
    return lines


class _Names:
    """How a candidate is called: by its family where that names one candidate only, else with a short ref."""

    def __init__(self, result: SelectionResult) -> None:
        self._family = {contender.ref: contender.family for contender in result.ranking}
        self._families = list(self._family.values())

    def of(self, ref: str) -> str:
        family = self._family.get(ref)
        if family is not None and self._families.count(family) == 1:
            return family
        return f"{family} {_short(ref)}" if family is not None else _short(ref)


def _short(ref: str) -> str:
    kind, colon, digest = ref.partition(":")
    return f"{kind}:{digest[:12]}" if colon and len(digest) == 64 else ref


def _served(result: SelectionResult) -> str:
    winner = result.winner
    if winner.refit is not None and winner.artifact_run == winner.refit:
        return f"refit {_short(winner.refit)} (mapped by {winner.basis})"
    return f"the trial's own run {_short(winner.artifact_run)}"


def _number(value: float) -> str:
    return format(value, ".4g")


def _value_line(result: SelectionResult, first: Contender, alias: str) -> str:
    line = f"{alias} {_number(first.values[alias])}"
    if alias in first.se:
        line += f" ± {_number(first.se[alias])}"
    n = result.normalisation.get(alias)
    if n is not None and alias in first.u:
        line += f": utility {first.u[alias]:.4f} x weight {n.weight:.4g} = {first.contribution[alias]:.4f}"
    return line + "."


def _score_line(result: SelectionResult, first: Contender, names: _Names) -> str:
    line = f"Score {first.score:.4f}"
    if len(result.ranking) > 1:
        second = result.ranking[1]
        line += f", ahead of {names.of(second.ref)} with {second.score:.4f} ({_values(second)}) by {result.margin:.4f}"
    return line + "."


def _values(contender: Contender) -> str:
    return ", ".join(f"{alias} {_number(value)}" for alias, value in contender.values.items())


def _margin_lines(result: SelectionResult, names: _Names) -> list[str]:
    lines = [
        f"It wins for every weight of {alias}."
        if weight.lower is None and weight.upper is None
        else f"It wins for a weight of {alias} {_flip('above', weight.lower, names)}"
        f"{' and ' if weight.lower and weight.upper else ''}{_flip('below', weight.upper, names)}."
        for alias, weight in result.margins.weights.items()
    ]
    for label, band in result.margins.bands.items():
        high = f"; at {_number(band.upper[0])} {names.of(band.upper[1])} would win" if band.upper else ""
        lines.append(
            f"Step {label} allows a gap of {_number(band.allowed)}; the winner's is {_number(band.lower[0])}{high}."
        )
    for label, limits in result.margins.limits.items():
        lines.extend(
            f"Step {label}: {m.metric} has {_number(m.slack)} left to its bound {_number(m.bound)}."
            for m in limits
        )
    return lines


def _flip(side: str, point: tuple[float, str] | None, names: _Names) -> str:
    return f"{side} {_number(point[0])} (else {names.of(point[1])})" if point else ""


def warning_line(warning: SelectionWarning, name_of: Callable[[str], str] = _short) -> str:
    """A warning, with the first of the runs that it is about."""
    refs = ", ".join(name_of(ref) for ref in warning.refs[:_LISTED])
    more = ", …" if len(warning.refs) > _LISTED else ""
    return (
        f"Warning {warning.code}"
        + (f" ({refs}{more})" if refs else "")
        + (f": {warning.detail}." if warning.detail else ".")
    )
