"""A run and its state machine: RUNNING, then one terminal status, for good."""

from __future__ import annotations

from enum import StrEnum

from .errors import RunEnded
from .value import Value


class RunStatus(StrEnum):
    """Where a run stands. Everything but RUNNING is terminal."""

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"

    @property
    def terminal(self) -> bool:
        """Whether the run has ended."""
        return self is not RunStatus.RUNNING


class EndReason(StrEnum):
    """Why a run ended otherwise than FINISHED."""

    ERROR = "error"
    MISSING_OBJECTIVE = "missing_objective"
    NON_FINITE_OBJECTIVE = "non_finite_objective"
    SPLIT_MISMATCH = "split_mismatch"
    NO_RESULT = "no_result"
    TOO_MANY_FAILURES = "too_many_failures"
    ARTIFACT_REFUSED = "artifact_refused"
    SMOKE_TEST_FAILED = "smoke_test_failed"
    PRUNED = "pruned"
    LOST = "lost"
    INTERRUPTED = "interrupted"
    TIMEOUT = "timeout"
    PARENT_ENDED = "parent_ended"
    ABANDONED = "abandoned"


_FAILED = frozenset(
    {
        EndReason.ERROR,
        EndReason.MISSING_OBJECTIVE,
        EndReason.NON_FINITE_OBJECTIVE,
        EndReason.SPLIT_MISMATCH,
        EndReason.NO_RESULT,
        EndReason.TOO_MANY_FAILURES,
        EndReason.ARTIFACT_REFUSED,
        EndReason.SMOKE_TEST_FAILED,
    }
)


class Ending(Value):
    """How a run ended: reason and error follow from each other and from the status.

    Build one with `finished`, `failed` or `killed`; a FINISHED run with a reason, or a FAILED one without,
    cannot be said.
    """

    status: RunStatus
    reason: EndReason | None = None
    error: str | None = None

    def model_post_init(self, _context: object, /) -> None:
        if self.status is RunStatus.RUNNING:
            raise ValueError("an ending has a terminal status")
        if (self.reason is None) != (self.status is RunStatus.FINISHED):
            raise ValueError("FINISHED has no reason; FAILED and KILLED have one")
        if self.reason is not None and (self.reason in _FAILED) != (self.status is RunStatus.FAILED):
            raise ValueError(f"{self.reason} does not go with {self.status}")

    @classmethod
    def finished(cls) -> Ending:
        """The body returned."""
        return cls(status=RunStatus.FINISHED)

    @classmethod
    def failed(cls, reason: EndReason = EndReason.ERROR, error: str | None = None) -> Ending:
        """The body went wrong; `error` is `Type: first line`."""
        return cls(status=RunStatus.FAILED, reason=reason, error=error)

    @classmethod
    def because(cls, reason: EndReason, error: str | None = None) -> Ending:
        """FAILED or KILLED, as the reason demands."""
        return cls.failed(reason, error) if reason in _FAILED else cls.killed(reason, error)

    @classmethod
    def killed(cls, reason: EndReason, error: str | None = None) -> Ending:
        """The run was stopped from outside, or given up."""
        return cls(status=RunStatus.KILLED, reason=reason, error=error)


def next_status(current: RunStatus, wanted: RunStatus, *, run: str) -> RunStatus:
    """The status after asking for `wanted`: terminal stays terminal, and the same end twice is one end.

    Raises RunEnded when the run has ended otherwise, or would be reopened.
    """
    if current is wanted or not current.terminal:
        return wanted
    raise RunEnded(
        f"run {run} has ended {current}, so it cannot become {wanted}",
        cure="more work is a new attempt: open a new run",
        run=run,
        status=str(current),
    )
