"""How a run ends, by what left its body."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.application.ending import ending_of, ending_without_result, error_text
from studbook.application.train_context import PruneTrial
from studbook.domain.errors import (
    ChildProcessFailed,
    ChildResultMissing,
    ChildTimedOut,
    StudbookError,
)
from studbook.domain.run import Ending, EndReason, RunStatus


class _Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize("error", [None, SystemExit(0), SystemExit(None), SystemExit()])
def test_leaving_politely_is_finished(error: BaseException | None) -> None:
    assert ending_of(error) == Ending.finished()


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (SystemExit(143), "SystemExit: 143"),
        (SystemExit("bye"), "SystemExit: bye"),
        (GeneratorExit(), "GeneratorExit"),
    ],
)
def test_being_told_to_stop_is_killed(error: BaseException, text: str) -> None:
    assert ending_of(error) == Ending.killed(EndReason.INTERRUPTED, text)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("no\nsecond line"), "ValueError: no"),
        (ValueError("\n\n  first\nsecond"), "ValueError: first"),
        (ValueError(), "ValueError"),
        (KeyError("k"), "KeyError: 'k'"),
        (_Mute(), "_Mute"),
        (OSError("mysql://me:hush@host is away"), "OSError: mysql://me:***@host is away"),
        (ValueError("file \udcff"), "ValueError: file \\udcff"),
        (ValueError("x" * 1000), "ValueError: " + "x" * 488),
    ],
)
def test_an_exception_is_failed(error: Exception, text: str) -> None:
    assert ending_of(error) == Ending.failed(EndReason.ERROR, text)


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (ChildProcessFailed, RunStatus.FAILED, EndReason.ERROR),
        (ChildResultMissing, RunStatus.FAILED, EndReason.NO_RESULT),
        (ChildTimedOut, RunStatus.KILLED, EndReason.TIMEOUT),
    ],
)
def test_a_child_process_that_failed_says_more(
    error: type[StudbookError], status: RunStatus, reason: EndReason
) -> None:
    ending = ending_of(error("no", cure=""))
    assert (ending.status, ending.reason) == (status, reason)


def test_work_that_was_given_up_is_killed() -> None:
    assert ending_of(PruneTrial()) == Ending.killed(EndReason.PRUNED, "PruneTrial")


@pytest.mark.parametrize("reason", EndReason)
def test_a_reason_has_its_status(reason: EndReason) -> None:
    ending = Ending.because(reason, "why")
    assert (ending.reason, ending.error) == (reason, "why")
    assert ending.status in (RunStatus.FAILED, RunStatus.KILLED)


@given(st.text(st.characters()))
def test_an_error_text_is_one_short_line_that_can_be_written(message: str) -> None:
    text = error_text(ValueError(message))
    assert text.startswith("ValueError")
    assert len(text) <= 500
    assert len(text.splitlines()) == 1
    text.encode()


@pytest.mark.parametrize("code", [0, None, 3])
def test_without_a_result_no_exit_is_finished(code: int | None) -> None:
    assert ending_without_result(SystemExit(code)).reason is EndReason.INTERRUPTED
    assert ending_without_result(ValueError()) == Ending.failed(EndReason.ERROR, "ValueError")
