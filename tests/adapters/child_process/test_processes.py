"""Child processes: their environment, their words, and their end, with all that they have started."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from faults.waiting import PATIENCE_S, wait_for
from studbook.adapters.child_process.processes import SystemChildProcess, SystemChildProcesses
from studbook.adapters.system.processes import find_process
from studbook.domain.errors import ChildProcessFailed
from studbook.ports.child_processes import Command

Start = Callable[..., SystemChildProcess]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Starts a Python script."""

    def started(code: str, cwd: Path | None = None, **variables: str) -> SystemChildProcess:
        command = Command((sys.executable, "-c", code), cwd)
        return SystemChildProcesses().start(command, variables, tmp_path / "words")

    return started


def words(folder: Path) -> str:
    return (folder / "words").read_text(encoding="utf-8")


def test_it_has_our_environment_and_more(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OURS", "1")
    before = dict(os.environ)
    code = "import os; print(os.environ['OURS'], os.environ['MORE'], os.getcwd(), flush=True)"
    assert start(code, tmp_path, MORE="2").wait(PATIENCE_S) == 0
    assert words(tmp_path) == f"1 2 {tmp_path}\n"
    assert dict(os.environ) == before


def test_both_its_streams_are_kept_in_order_and_it_reads_nothing(tmp_path: Path, start: Start) -> None:
    code = (
        "import sys\n"
        "for n in range(3):\n"
        "    print(n, file=(sys.stdout, sys.stderr)[n % 2], flush=True)\n"
        "print(sys.stdin.read())"
    )
    assert start(code).wait(PATIENCE_S) == 0
    assert words(tmp_path) == "0\n1\n2\n\n"


def test_one_that_runs_on_is_waited_for_no_longer_than_asked(start: Start) -> None:
    process = start("import time; time.sleep(600)")
    assert process.wait(0.01) is None
    process.kill()
    assert process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("end", [SystemChildProcess.terminate, SystemChildProcess.kill])
def test_it_ends_with_all_that_it_has_started(
    tmp_path: Path, start: Start, end: Callable[[SystemChildProcess], None]
) -> None:
    process = start(
        "import subprocess, sys, time\n"
        "below = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(below.pid, flush=True)\n"
        "time.sleep(600)"
    )
    below = wait_for("it has started another", lambda: int(words(tmp_path) or 0))
    end(process)
    assert process.wait(PATIENCE_S) is not None
    wait_for("that one has ended too", lambda: find_process(below) is None)
    end(process)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (Command(("no-such-program",)), "No such file"),
        (Command((sys.executable,), Path("/no/such/folder")), "No such file"),
        (Command(("a\0b",)), "null byte"),
    ],
)
def test_what_cannot_be_started_says_why(tmp_path: Path, command: Command, reason: str) -> None:
    with pytest.raises(ChildProcessFailed, match=reason) as caught:
        SystemChildProcesses().start(command, {}, tmp_path / "words")
    assert "working directory" in caught.value.cure
