"""However a script ends, its open run ends as the table of endings says, and the script as it would without us."""

from __future__ import annotations

import signal
from typing import NamedTuple

import pytest

from faults.fault_home import FaultHome
from faults.scripts import ready_script, run_script
from faults.stored_state import ERROR_TAG, RunState
from faults.waiting import PATIENCE_S
from studbook.domain.run_events import RunEnded

_SECRET = "hunter2"  # noqa: S105  what must not be stored


class Ending(NamedTuple):
    """What is stored of the run."""

    status: str
    reason: str | None = None
    error: str | None = None


_BAD = Ending("FAILED", "error", "ValueError: postgresql://me:***@host/db")
_INTERRUPTED = "interrupted"
_ABANDONED = Ending("KILLED", "abandoned")

_RAISE = f'raise ValueError("postgresql://me:{_SECRET}@host/db\\n and more")'

_WITH = """
with open_book() as book, book.run("mine") as run:
    run.log_metrics({{"loss": 0.5}})
    {leave}
"""
_WITHOUT = """
book = open_book()
run = book.run("mine")
run.log_metrics({{"loss": 0.5}})
{leave}
"""
_IN_A_BOOK = """
with open_book() as book:
    run = book.run("mine")
    run.log_metrics({{"loss": 0.5}})
    {leave}
"""
_IN_A_FUNCTION = """
def main():
    run = open_book().run("mine")
    run.log_metrics({{"loss": 0.5}})
    {leave}

main()
"""


@pytest.mark.parametrize(
    ("script", "leave", "code", "ending"),
    [
        (_WITH, "pass", 0, Ending("FINISHED")),
        (_WITH, _RAISE, 1, _BAD),
        (_WITH, "sys.exit(0)", 0, Ending("FINISHED")),
        (_WITH, "sys.exit(3)", 3, Ending("KILLED", _INTERRUPTED, "SystemExit: 3")),
        (_WITHOUT, "pass", 0, _ABANDONED),
        (_WITHOUT, _RAISE, 1, _BAD),
        (_WITHOUT, "sys.exit(0)", 0, _ABANDONED),
        (_WITHOUT, "sys.exit(3)", 3, _ABANDONED),
        (
            _WITHOUT,
            "raise KeyboardInterrupt",
            -signal.SIGINT,
            Ending("KILLED", _INTERRUPTED, "KeyboardInterrupt"),
        ),
        (_IN_A_BOOK, "pass", 0, _ABANDONED),
        (_IN_A_BOOK, _RAISE, 1, _BAD),
        (_IN_A_BOOK, "sys.exit(3)", 3, Ending("KILLED", _INTERRUPTED, "SystemExit: 3")),
        (_IN_A_FUNCTION, "pass", 0, _ABANDONED),
        (_IN_A_FUNCTION, _RAISE, 1, _BAD),
    ],
)
def test_a_script_that_leaves(home: FaultHome, script: str, leave: str, code: int, ending: Ending) -> None:
    ended = run_script(home, script.format(leave=leave))
    assert ended.code == code, ended.errors
    assert (leave == _RAISE) == ("ValueError" in ended.errors)
    assert stored_ending(home) == ending


@pytest.mark.parametrize("script", [_WITH, _WITHOUT])
def test_a_script_that_is_interrupted(home: FaultHome, script: str) -> None:
    with ready_script(home, script.format(leave="ready()")) as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == -signal.SIGINT
    assert stored_ending(home) == Ending("KILLED", _INTERRUPTED, "KeyboardInterrupt")


def test_a_script_that_handles_its_termination(home: FaultHome) -> None:
    body = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))" + _WITH.format(leave="ready()")
    with ready_script(home, body) as process:
        process.terminate()
        assert process.wait(PATIENCE_S) == 143
    assert stored_ending(home) == Ending("KILLED", _INTERRUPTED, "SystemExit: 143")


def test_a_script_that_is_terminated_is_lost_to_its_sidecar(home: FaultHome) -> None:
    with ready_script(home, _WITHOUT.format(leave="ready()"), "sidecar") as process:
        process.terminate()
        assert process.wait(PATIENCE_S) == -signal.SIGTERM
    home.wait_until_sidecars_left()
    assert home.is_settled()
    assert ending_of(only(home)) == Ending("KILLED", "lost")


def test_a_script_that_fails_is_told_of_by_its_sidecar(home: FaultHome) -> None:
    assert run_script(home, _IN_A_FUNCTION.format(leave=_RAISE), "sidecar").code == 1
    home.wait_until_sidecars_left()
    assert home.is_settled()
    assert ending_of(only(home)) == _BAD


def test_a_forked_child_ends_none_of_its_parents_runs(home: FaultHome) -> None:
    body = """
        from studbook.domain.run import Ending
        book = open_book()
        run = book.run("parent")
        pid = os.fork()
        if pid == 0:
            book.run("child")
            raise ValueError("the child's")
        assert os.waitpid(pid, 0)[1] != 0
        run.log_metrics({"loss": 0.5})
        run.end(Ending.finished())
    """
    ended = run_script(home, body)
    assert ended.code == 0
    assert "run end not recorded" not in ended.words + ended.errors
    assert home.finish().reaped == ()
    ends = [each.run_key for each in home.container().event_log().read() if isinstance(each.event, RunEnded)]
    assert len(ends) == 2
    runs = {run.name: ending_of(run) for run in home.state().values()}
    assert runs == {
        "parent": Ending("FINISHED"),
        "child": Ending("FAILED", "error", "ValueError: the child's"),
    }


def stored_ending(home: FaultHome) -> Ending:
    """The ending of the script's only run, delivered by the next process; nothing is left for it to end."""
    assert home.finish().reaped == ()
    return ending_of(only(home))


def only(home: FaultHome) -> RunState:
    """The only run; nowhere in the home is there a secret."""
    (run,) = home.state().values()
    assert run.metrics["loss"][0][2] == 0.5
    assert not any(_SECRET.encode() in file.read_bytes() for file in home.home.rglob("*") if file.is_file())
    return run


def ending_of(run: RunState) -> Ending:
    """The ending of a run."""
    return Ending(str(run.status), run.end_reason, run.tags.get(ERROR_TAG))
