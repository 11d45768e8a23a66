"""What a parent does while its child runs, with a child that does as the test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from dependency_injector import providers
from structlog.testing import capture_logs

from children.family import Family, scripted
from studbook.domain.child_result import ChildResult
from studbook.domain.errors import JournalError
from studbook.domain.run import RunStatus
from studbook.domain.run_context import RunContext, StopWord
from studbook.domain.stage import Stage
from studbook.ports.child_processes import Command

Answer = int | BaseException | None


class Scripted:
    """ChildProcesses whose child answers each wait with the next of `answers`, and says what was done to it."""

    def __init__(self, answers: Callable[[RunContext], Iterator[Answer]]) -> None:
        self._answers = answers
        self.done: list[str] = []

    def start(self, command: Command, variables: Mapping[str, str], output: Path) -> Scripted:
        output.write_text("words\n", encoding="utf-8")
        self._coming = self._answers(RunContext.parse(variables["STUDBOOK_RUN_CONTEXT"]))
        return self

    def wait(self, timeout_s: float | None = None) -> int | None:
        answer = next(self._coming, -9)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def terminate(self) -> None:
        self.done.append("terminate")

    def kill(self) -> None:
        self.done.append("kill")


def using(family: Family, answers: Callable[[RunContext], Iterator[Answer]]) -> Scripted:
    """Give the family such children."""
    children = Scripted(answers)
    family.book.container.child_processes.override(providers.Object(children))
    return children


def finish(context: RunContext, **metrics: float) -> None:
    """Leave a result as the child would."""
    result = ChildResult(
        schema_version=1,
        run_key=context.run_key,
        outcome="completed",
        metrics=metrics,
        best_step=None,
        fold_digest=None,
        files={},
    )
    Path(context.result_path).write_bytes(result.to_json())


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143)])
def test_a_parent_that_is_interrupted_ends_its_child(family: Family, error: BaseException) -> None:
    def answers(context: RunContext) -> Iterator[Answer]:
        yield None
        yield error

    children = using(family, answers)
    with pytest.raises(type(error)):
        family.sweep(scripted(""))
    assert children.done == ["terminate", "kill"]
    for stage in (Stage.TRIAL, Stage.SWEEP):
        run = family.run(stage)
        assert (run.status, run.end_reason) == (RunStatus.KILLED, "interrupted")


def test_a_child_is_told_once_that_its_time_is_over_and_then_ended(tmp_path: Path, family: Family) -> None:
    heard: list[str | None] = []

    def answers(context: RunContext) -> Iterator[Answer]:
        control = Path(str(context.control_path))
        for _ in range(3):
            heard.append(control.read_text(encoding="utf-8") if control.exists() else None)
            yield None

    children = using(family, answers)
    run = family.failing_trial(scripted("", timeout_s=1e-9))
    assert children.done == ["terminate", "kill"]
    assert run.end_reason == "timeout"

    patient = Family(tmp_path / "patient", **{"children.grace": 1000})
    heard.clear()
    using(patient, answers)
    run = patient.failing_trial(scripted("", timeout_s=1e-9))
    patient.book.close()
    assert heard == [None, StopWord.STOP, StopWord.STOP]
    assert run.end_reason == "timeout"


def test_a_journal_that_cannot_be_followed_stops_nobody(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def read(self) -> tuple[()]:
            raise JournalError("no journal today", cure="")

    def answers(context: RunContext) -> Iterator[Answer]:
        finish(context, f1=0.5)
        yield None
        yield 0

    using(family, answers)
    log = family.book.container.event_log()
    monkeypatch.setattr(log, "newcomers", Broken)
    with capture_logs() as logged:
        family.sweep(scripted(""))
    assert family.run(Stage.TRIAL).status is RunStatus.FINISHED
    assert "child process not followed" in {each["event"] for each in logged}


def test_output_that_cannot_be_kept_hides_no_failure(family: Family) -> None:
    def answers(context: RunContext) -> Iterator[Answer]:
        Path(context.result_path).parent.joinpath("clean").write_text("in the way", encoding="utf-8")
        yield 7

    using(family, answers)
    with capture_logs() as logged:
        run = family.failing_trial(scripted(""))
    assert run.error is not None
    assert "exit code 7: words" in run.error
    assert "output of a child process not kept" in {each["event"] for each in logged}
