"""Values as utilities between 0 and 1, on the contenders' own range or on declared bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .candidate import Candidate
from .criteria import Criteria
from .metric import Transform
from .order import best_of, gap, number, opposite
from .policy import Scale
from .warning import SelectionWarning, WarningCode


@dataclass(frozen=True, slots=True)
class Normalisation:
    """How one metric was scaled; `best` and `worst` are transformed values, `weight` is the one used."""

    scale: Scale
    transform: Transform
    best: float
    worst: float
    range: float
    min_range: float
    weight: float

    @property
    def span(self) -> float:
        """What a gap is divided by; 0 when all are equal."""
        return max(self.range, self.min_range)


@dataclass(frozen=True, slots=True)
class Utilities:
    """u by ref and alias, with the scaling of each alias."""

    u: dict[str, dict[str, float]]
    normalisation: dict[str, Normalisation]


def utilities(
    candidates: Sequence[Candidate], weights: Mapping[str, float], scale: Scale, criteria: Criteria
) -> Utilities:
    """u = 1 - |best - t(v)| / max(range, min_range), and 1 for everyone when that is 0."""
    normalisation = {
        alias: _normalise(candidates, alias, w, scale, criteria) for alias, w in sorted(weights.items())
    }
    u = {
        candidate.ref: {alias: _utility(candidate, alias, n, criteria) for alias, n in normalisation.items()}
        for candidate in candidates
    }
    return Utilities(u, normalisation)


def transformed(candidate: Candidate, alias: str, criteria: Criteria) -> float:
    """t(v)."""
    return criteria.metrics[alias].transform.apply(criteria.value(candidate, alias))


def scaling_warnings(
    candidates: Sequence[Candidate], normalisation: Mapping[str, Normalisation], criteria: Criteria
) -> list[SelectionWarning]:
    """NARROW_RANGE: a trifle is stretched to the full scale. OUT_OF_BOUNDS: u was clipped."""
    found: list[SelectionWarning] = []
    for alias, n in normalisation.items():
        if n.weight == 0:
            continue
        if n.scale is Scale.REFERENCE:
            low, high = sorted((n.best, n.worst))
            outside = [c.ref for c in candidates if not low <= transformed(c, alias, criteria) <= high]
            if outside:
                detail = f"{alias}: outside the bounds, u is clipped"
                found.append(SelectionWarning(WarningCode.OUT_OF_BOUNDS, tuple(sorted(outside)), detail))
            continue
        largest = max(abs(criteria.value(c, alias)) for c in candidates)
        least = 0.005 * (1.0 if n.transform is Transform.LOG else largest)
        if 0 < n.range < least and n.min_range == 0:
            detail = f"{alias}: the contenders differ by {number(n.range)} only; set min_range"
            found.append(SelectionWarning(WarningCode.NARROW_RANGE, (), detail))
    return found


def _normalise(
    candidates: Sequence[Candidate], alias: str, weight: float, scale: Scale, criteria: Criteria
) -> Normalisation:
    spec = criteria.metrics[alias]
    if scale is Scale.REFERENCE:
        assert spec.bounds is not None  # noqa: S101 (validated with the configuration)
        best, worst = spec.transform.apply(spec.bounds.best), spec.transform.apply(spec.bounds.worst)
        return Normalisation(scale, spec.transform, best, worst, abs(best - worst), 0.0, weight)
    values = [transformed(candidate, alias, criteria) for candidate in candidates]
    best, worst = best_of(values, spec.direction), best_of(values, opposite(spec.direction))
    return Normalisation(scale, spec.transform, best, worst, abs(best - worst), spec.min_range, weight)


def _utility(candidate: Candidate, alias: str, n: Normalisation, criteria: Criteria) -> float:
    if n.span == 0:
        return 1.0
    distance = gap(transformed(candidate, alias, criteria), n.best, criteria.metrics[alias].direction)
    u = 1.0 - distance / n.span
    return min(max(u, 0.0), 1.0) if n.scale is Scale.REFERENCE else u
