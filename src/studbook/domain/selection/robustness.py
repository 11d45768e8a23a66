"""Whether the winner hangs on a candidate that cannot win, or on noise."""

from __future__ import annotations

import math

from .candidate import Candidate
from .criteria import Criteria
from .metric import Transform
from .order import number
from .policy import Composite, Ideal, Ranker, Scale
from .rankers import Ranked, rank
from .utility import transformed
from .warning import SelectionWarning, WarningCode


def irrelevant_alternatives(ranker: Ranker, ranked: Ranked, criteria: Criteria) -> list[SelectionWarning]:
    """A warning for each non-winner that alone sets an extreme and without which another would win."""
    if not isinstance(ranker, Composite | Ideal) or ranker.scale is not Scale.CANDIDATES:
        return []
    found: list[SelectionWarning] = []
    for candidate in _extremes(ranked, criteria):
        others = [c for c in ranked.order if c.ref != candidate.ref]
        winner = rank(ranker, others, criteria).winner
        if winner.ref != ranked.winner.ref:
            detail = f"without it the winner would be {winner.ref}"
            found.append(SelectionWarning(WarningCode.IRRELEVANT_ALTERNATIVE, (candidate.ref,), detail))
    return found


def within_noise(ranked: Ranked, criteria: Criteria, noise_z: float) -> list[SelectionWarning]:
    """A warning when winner and runner-up differ by less than their standard errors explain."""
    if len(ranked.order) < 2 or noise_z == 0:
        return []
    winner, runner_up = ranked.order[0], ranked.order[1]
    terms: list[float] = []
    for alias, n in ranked.normalisation.items():
        mine, theirs = winner.values[alias].se, runner_up.values[alias].se
        linear = criteria.metrics[alias].transform is Transform.LINEAR
        if mine is not None and theirs is not None and linear and n.span > 0:
            terms.append(n.weight**2 * (mine**2 + theirs**2) / n.span**2)
    if not terms:
        return []
    noise = noise_z * math.sqrt(math.fsum(terms))
    margin = ranked.scores[winner.ref] - ranked.scores[runner_up.ref]
    if margin >= noise:
        return []
    detail = f"the scores differ by {number(margin)}, noise is {number(round(noise, 12))}"
    return [SelectionWarning(WarningCode.WITHIN_NOISE, (winner.ref, runner_up.ref), detail)]


def _extremes(ranked: Ranked, criteria: Criteria) -> list[Candidate]:
    """Non-winners that alone hold the best or worst value of a weighted metric."""
    found: dict[str, Candidate] = {}
    for alias, n in ranked.normalisation.items():
        if n.weight == 0 or n.range == 0:
            continue
        for extreme in (n.best, n.worst):
            holders = [c for c in ranked.order if transformed(c, alias, criteria) == extreme]
            if len(holders) == 1 and holders[0].ref != ranked.winner.ref:
                found[holders[0].ref] = holders[0]
    return [found[ref] for ref in sorted(found)]
