"""The rankers of a policy: a total order over the survivors, best first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .candidate import Candidate
from .criteria import Criteria
from .order import EPS, round12
from .policy import Composite, Ideal, Lexicographic, Preference, Ranker
from .utility import Normalisation, utilities


@dataclass(frozen=True, slots=True)
class Ranked:
    """Candidates, best first; scores (rounded) and utilities by ref where the ranker has them."""

    order: tuple[Candidate, ...]
    scores: dict[str, float] = field(default_factory=dict)
    u: dict[str, dict[str, float]] = field(default_factory=dict)
    normalisation: dict[str, Normalisation] = field(default_factory=dict)

    @property
    def winner(self) -> Candidate:
        """The first."""
        return self.order[0]


def rank(ranker: Ranker, candidates: Sequence[Candidate], criteria: Criteria) -> Ranked:
    """The order of the candidates (at least one). Equal scores go down the tie chain."""
    match ranker:
        case Composite():
            return _composite(ranker, candidates, criteria)
        case Ideal():
            return _ideal(ranker, candidates, criteria)
        case Lexicographic():
            return _lexicographic(ranker, candidates, criteria)


def weights_of(ranker: Composite | Ideal) -> dict[str, float]:
    """The weights that the ranker uses."""
    if isinstance(ranker, Ideal):
        return _normalised(ranker.weights or dict.fromkeys(ranker.metrics, 1.0))
    return _normalised(ranker.weights) if ranker.normalize_weights else dict(ranker.weights)


def _normalised(weights: Mapping[str, float]) -> dict[str, float]:
    total = math.fsum(weights.values())
    return {alias: weight / total for alias, weight in weights.items()}


def _composite(ranker: Composite, candidates: Sequence[Candidate], criteria: Criteria) -> Ranked:
    weights = weights_of(ranker)
    scaled = utilities(candidates, weights, ranker.scale, criteria)
    scores = {ref: round12(math.fsum(weights[a] * v for a, v in u.items())) for ref, u in scaled.u.items()}
    order = sorted(candidates, key=lambda c: (-scores[c.ref], criteria.tie_chain(c)))
    return Ranked(tuple(order), scores, scaled.u, scaled.normalisation)


def _ideal(ranker: Ideal, candidates: Sequence[Candidate], criteria: Criteria) -> Ranked:
    weights = weights_of(ranker)
    scaled = utilities(candidates, weights, ranker.scale, criteria)
    scores = {
        ref: round12(math.sqrt(math.fsum(weights[a] * (1 - v) ** 2 for a, v in u.items())))
        for ref, u in scaled.u.items()
    }
    order = sorted(candidates, key=lambda c: (scores[c.ref], criteria.tie_chain(c)))
    return Ranked(tuple(order), scores, scaled.u, scaled.normalisation)


def _lexicographic(ranker: Lexicographic, candidates: Sequence[Candidate], criteria: Criteria) -> Ranked:
    fell_out = {candidate.ref: len(ranker.metrics) for candidate in candidates}
    left = list(candidates)
    for step, preference in enumerate(ranker.metrics):
        best = criteria.best(left, preference.metric)
        staying = []
        for candidate in left:
            if _stays(candidate, preference, best, criteria):
                staying.append(candidate)
            else:
                fell_out[candidate.ref] = step
        left = staying
    order = sorted(
        candidates,
        key=lambda c: (
            -fell_out[c.ref],
            tuple(criteria.ascending(c, preference.metric) for preference in ranker.metrics),
            criteria.tie_chain(c),
        ),
    )
    return Ranked(tuple(order))


def _stays(candidate: Candidate, preference: Preference, best: float, criteria: Criteria) -> bool:
    gap = criteria.gap(candidate, preference.metric, best)
    if preference.tolerance == 0:
        return round12(gap) == 0
    return gap <= preference.tolerance * (abs(best) if preference.relative else 1.0) + EPS
