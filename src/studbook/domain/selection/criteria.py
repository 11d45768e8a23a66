"""How candidates are compared under a policy: values by alias, gaps, and the tie chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .candidate import Candidate
from .metric import OBJECTIVE, MetricSpec
from .order import ascending, best_of, gap


@dataclass(frozen=True, slots=True)
class Criteria:
    """Every alias with its metric (objective first, then settings order), and what the policy reads."""

    metrics: dict[str, MetricSpec]
    reads: frozenset[str]

    def value(self, candidate: Candidate, alias: str) -> float:
        """The candidate's value."""
        return candidate.values[alias].value

    def best(self, candidates: Sequence[Candidate], alias: str) -> float:
        """The best value of a metric among the candidates."""
        return best_of([self.value(c, alias) for c in candidates], self.metrics[alias].direction)

    def gap(self, candidate: Candidate, alias: str, best: float) -> float:
        """How far the candidate is from the best value; ≥ 0."""
        return gap(self.value(candidate, alias), best, self.metrics[alias].direction)

    def ascending(self, candidate: Candidate, alias: str) -> float:
        """A sort key that puts the better value first."""
        return ascending(self.value(candidate, alias), self.metrics[alias].direction)

    def tie_chain(self, candidate: Candidate) -> tuple[tuple[float, ...], int, str]:
        """Better objective; better other policy metrics in settings order; later start; smaller ref."""
        read = [alias for alias in self.metrics if alias == OBJECTIVE or alias in self.reads]
        values = tuple(self.ascending(candidate, alias) for alias in read)
        return (values, -candidate.trial.started_at, candidate.ref)
