"""Which attempt of its subject a new run is."""

from __future__ import annotations

from collections.abc import Iterable

from ..domain.run_identity import RunIdentity
from ..domain.run_view import RunView
from ..ports.attempt_claims import AttemptClaims


def next_attempt(identity: RunIdentity, known: Iterable[RunView], claims: AttemptClaims) -> RunIdentity:
    """The identity of the attempt after those of the known runs, and after those that this home has claimed.

    Another home may claim the same number without being seen: that is settled at delivery.
    """
    first = 1 + max((run.attempt for run in known), default=0)
    return identity.next_attempt(claims.claim(identity.subject_bytes, first))
