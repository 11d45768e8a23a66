"""A policy applied to candidates: filters in turn, then the ranker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .candidate import Candidate
from .criteria import Criteria
from .filters import Filtered, apply_filter, dominated_detail
from .margins import BandMargin, LimitMargin, Margins, band_margin, limit_margins, weight_margins
from .metric import MetricSpec
from .policy import Composite, Constraints, OneStdError, Pareto, Policy, Step, Within
from .rankers import Ranked, rank
from .robustness import irrelevant_alternatives, within_noise
from .utility import scaling_warnings
from .warning import SelectionWarning


@dataclass(frozen=True, slots=True)
class Dropped:
    """A candidate that a filter removed: which step (`<position>:<name>`), and why."""

    candidate: Candidate
    step: str
    detail: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Contenders in order, the dropped (last filter first, then the tie chain), margins."""

    ranked: Ranked
    dropped: tuple[Dropped, ...]
    margins: Margins
    warnings: tuple[SelectionWarning, ...]


def apply_policy(
    candidates: Sequence[Candidate],
    policy: Policy,
    metrics: Mapping[str, MetricSpec],
    *,
    noise_z: float = 1.0,
) -> Verdict:
    """The ranking of the candidates (at least one), independent of their order.

    `metrics` holds every alias, the objective first. Raises NoCandidate when a filter leaves nobody, and
    PolicyInputMissing when a step needs what the best candidate lacks.
    """
    criteria = Criteria(dict(metrics), frozenset(policy.reads))
    entered = sorted(candidates, key=lambda c: c.ref)
    survivors: Sequence[Candidate] = entered
    filtered: list[tuple[Sequence[Candidate], Filtered]] = []
    for step in policy.filters:
        found = apply_filter(step, survivors, criteria)
        filtered.append((survivors, found))
        survivors = found.kept
    ranked = rank(policy.ranker, survivors, criteria)
    warnings = [warning for _, found in filtered for warning in found.warnings]
    warnings += scaling_warnings(survivors, ranked.normalisation, criteria)
    warnings += irrelevant_alternatives(policy.ranker, ranked, criteria)
    margins = _margins(policy, filtered, ranked, criteria)
    if isinstance(policy.ranker, Composite):
        warnings += within_noise(ranked, criteria, noise_z)
    dropped = _dropped(policy, [found for _, found in filtered], ranked, criteria)
    return Verdict(ranked, dropped, margins, tuple(warnings))


def _margins(
    policy: Policy,
    filtered: Sequence[tuple[Sequence[Candidate], Filtered]],
    ranked: Ranked,
    criteria: Criteria,
) -> Margins:
    winner = ranked.winner
    bands: dict[str, BandMargin] = {}
    limits: dict[str, tuple[LimitMargin, ...]] = {}
    for position, (step, (before, found)) in enumerate(zip(policy.filters, filtered, strict=True)):
        if isinstance(step, Constraints):
            limits[step_label(position, step)] = limit_margins(step, winner, criteria)
        elif isinstance(step, Within | OneStdError):
            rest = policy.steps[position + 1 :]
            bands[step_label(position, step)] = band_margin(step, rest, before, found, winner, criteria)
    weights = weight_margins(policy.ranker, ranked) if isinstance(policy.ranker, Composite) else {}
    return Margins(weights, bands, limits)


def step_label(position: int, step: Step) -> str:
    """How a step is named in a record."""
    return f"{position}:{step.step}"


def _dropped(
    policy: Policy, filtered: Sequence[Filtered], ranked: Ranked, criteria: Criteria
) -> tuple[Dropped, ...]:
    found: list[tuple[int, Candidate, str]] = []
    for position in reversed(range(len(filtered))):
        leaving = sorted(filtered[position].dropped, key=lambda pair: criteria.tie_chain(pair[0]))
        found.extend((position, candidate, detail) for candidate, detail in leaving)
    order = [*ranked.order, *(candidate for _, candidate, _ in found)]
    dropped: list[Dropped] = []
    for position, candidate, detail in found:
        step = policy.filters[position]
        if isinstance(step, Pareto):
            detail = dominated_detail(step, candidate, order, criteria)
        dropped.append(Dropped(candidate, step_label(position, step), detail))
    return tuple(dropped)
