"""How a run ends when an exception leaves its body."""

from __future__ import annotations

from ..domain.redaction import redact
from ..domain.run import Ending, EndReason

_LONGEST = 500


def error_text(error: BaseException) -> str:
    """`Type: first line`, at most 500 characters, without secrets."""
    lines = str(error).strip().splitlines()
    name = type(error).__name__
    return (f"{name}: {redact(lines[0])}" if lines else name)[:_LONGEST]


def ending_of(error: BaseException | None) -> Ending:
    """FINISHED without an exception, KILLED when the process was told to stop, else FAILED."""
    if error is None or (isinstance(error, SystemExit) and error.code in (0, None)):
        return Ending.finished()
    if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
        return Ending.killed(EndReason.INTERRUPTED, error_text(error))
    return Ending.failed(EndReason.ERROR, error_text(error))
