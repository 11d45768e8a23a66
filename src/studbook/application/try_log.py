"""The tries of one acquisition: every source that was asked, and what came of it."""

from __future__ import annotations

import errno

from ..domain.acquisition import Outcome, Phase, Source, Try
from ..domain.errors import (
    AcquisitionFailed,
    ArtifactInvalid,
    ArtifactNotFound,
    IntegrityError,
    NoSpace,
    RunNotFound,
    StudbookError,
    TrackingDenied,
)
from ..ports.clock import Clock


class TryLog:
    """Collects tries; `begin` starts one, `phase` says how far it is, `end` writes it down."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begun_ns = clock.monotonic_ns()
        self._source = Source.STORE
        self._location = ""
        self._tries: list[Try] = []
        self.phase = Phase.PROBE

    @property
    def tries(self) -> tuple[Try, ...]:
        """All tries so far, in order."""
        return tuple(self._tries)

    def begin(self, source: Source, location: str) -> None:
        """A source is being asked."""
        self._source = source
        self._location = location
        self._begun_ns = self._clock.monotonic_ns()
        self.phase = Phase.PROBE

    def end(self, outcome: Outcome, reason: str | None = None, detail: str = "", size: int = 0) -> None:
        """What came of asking; `size` is in bytes."""
        ended = Try(
            source=self._source,
            location=self._location,
            phase=self.phase,
            outcome=outcome,
            reason=reason,
            detail=detail,
            bytes=size,
            seconds=max(0, self._clock.monotonic_ns() - self._begun_ns) / 1e9,
        )
        self._tries.append(ended)

    def fail(self, error: StudbookError | OSError) -> None:
        """The source failed with this error."""
        detail = error.problem if isinstance(error, StudbookError) else error.strerror or type(error).__name__
        self.end(Outcome.FAILED, _reason(error), detail)

    def failure(self, wanted: str) -> AcquisitionFailed:
        """The error that tells all tries, one a line."""
        lines = "".join(f"\n  {one.line()}" for one in self._tries)
        reasons = {(one.reason or "").partition("(")[0] for one in self._tries}
        cure = next((text for reason, text in _CURES if reason in reasons), "look at the tries")
        return AcquisitionFailed(f"{wanted} could not be acquired{lines}", cure=cure, tries=self.tries)


def _reason(error: StudbookError | OSError) -> str:
    match error:
        case ArtifactInvalid():
            return f"INVALID({error.details.get('reason')})"
        case IntegrityError():
            return "SIZE_MISMATCH" if error.details.get("reason") == "SIZE_MISMATCH" else "DIGEST_MISMATCH"
        case ArtifactNotFound():
            return "INCOMPLETE"
        case RunNotFound():
            return "NOT_FOUND"
        case TrackingDenied() | PermissionError():
            return "PERMISSION"
        case NoSpace():
            return "NO_SPACE"
        case OSError() if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return "NO_SPACE"
        case TimeoutError():
            return "TIMEOUT"
    return "UNAVAILABLE"


_CURES = (
    ("IDENTITY_AMBIGUOUS", "give the artifact's name"),
    ("NO_SPACE", "free space, or acquire to another disk"),
    ("PERMISSION", "check the credentials and the rights at the destination"),
    ("UNAVAILABLE", "try again when the store answers"),
    ("TIMEOUT", "try again when the store answers"),
    ("INVALID", "store whole files in a new run"),
    ("DIGEST_MISMATCH", "the stored bytes are damaged: acquire from another copy, or store them again"),
    ("SIZE_MISMATCH", "the stored bytes are damaged: acquire from another copy, or store them again"),
    ("INCOMPLETE", "files are gone from the store: acquire from another copy, or store them again"),
    ("NOT_FOUND", "check run, kind and name; deliver what is pending, then try again"),
)
"""Most promising first."""
