"""How a run ends when an exception leaves its body."""

from __future__ import annotations

from ..domain.errors import ChildResultMissing, ChildTimedOut
from ..domain.redaction import redact
from ..domain.run import Ending, EndReason
from .train_context import PruneTrial

_LONGEST = 500


def error_text(error: BaseException) -> str:
    """`Type: first line`, at most 500 characters, without secrets."""
    name = type(error).__name__
    try:
        lines = str(error).strip().splitlines()
    except Exception:  # noqa: BLE001  an error that cannot tell what it is must still end the run
        lines = []
    text = f"{name}: {redact(lines[0])}" if lines else name
    # Undecodable file names come as lone surrogates, which no journal or backend can write.
    return text.encode(errors="backslashreplace").decode()[:_LONGEST]


def ending_of(error: BaseException | None) -> Ending:
    """FINISHED without an exception, KILLED when the process was told to stop or the work was given up, else
    FAILED.
    """
    if error is None or (isinstance(error, SystemExit) and error.code in (0, None)):
        return Ending.finished()
    if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
        return Ending.killed(EndReason.INTERRUPTED, error_text(error))
    return Ending.because(reason_of(error), error_text(error))


def reason_of(error: BaseException) -> EndReason:
    """Why a body ends that this error has left."""
    if isinstance(error, ChildResultMissing):
        return EndReason.NO_RESULT
    if isinstance(error, ChildTimedOut):
        return EndReason.TIMEOUT
    return EndReason.PRUNED if isinstance(error, PruneTrial) else EndReason.ERROR


def ending_without_result(error: BaseException) -> Ending:
    """The same for a run whose result is missing: it is not FINISHED, however politely the process was left."""
    if isinstance(error, SystemExit):
        return Ending.killed(EndReason.INTERRUPTED, error_text(error))
    return ending_of(error)
