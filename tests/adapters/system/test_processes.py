"""Processes of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from studbook.adapters.system import processes
from studbook.adapters.system.processes import find_process, own_start, pid_space
from studbook.domain.liveness import Process

NOBODY = 2**30

_MAIN_THREAD_ENDS = """
import ctypes, sys, threading, time
threading.Thread(target=sys.stdin.read).start()
print("ready", flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""


@pytest.fixture
def no_proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system whose /proc is this empty folder."""
    monkeypatch.setattr(processes, "_PROC", tmp_path)
    return tmp_path


def test_this_process_is_found_with_its_start() -> None:
    assert find_process(os.getpid()) == Process(own_start())
    assert own_start() is not None


def test_processes_started_one_after_the_other_are_told_apart() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        found = find_process(child.pid)
        assert found is not None
        assert found.started is not None
        assert found.started > (own_start() or 0)
        child.communicate(b"\n")
    assert find_process(child.pid) is None


def test_an_id_that_nobody_has_is_nobodys() -> None:
    assert find_process(NOBODY) is None
    assert find_process(2**70) is None


def test_a_process_whose_main_thread_ended_before_the_others_lives() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _MAIN_THREAD_ENDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            status = Path(f"/proc/{child.pid}/stat")
            while status.read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z":
                pass
            assert find_process(child.pid) is not None
        finally:
            child.kill()


def test_this_space_is_one_with_itself() -> None:
    assert pid_space() == pid_space()
    assert pid_space().is_one_with(pid_space())


@pytest.mark.parametrize("seen", [None, "1"])
def test_without_the_proc_of_this_space_only_the_host_is_known(no_proc: Path, seen: str | None) -> None:
    if seen is not None:
        (no_proc / "self").symlink_to(seen)
    space = pid_space()
    assert space.host
    assert (space.boot_id, space.pid_namespace) == (None, None)
    assert own_start() is None


def test_a_process_that_proc_does_not_show_is_asked_by_signal(no_proc: Path) -> None:
    assert find_process(os.getpid()) == Process()
    assert find_process(NOBODY) is None
    assert find_process(0) == Process()


@pytest.mark.parametrize(
    ("stat", "found"),
    [
        ("7 (a) b) S 1" + " 0" * 15 + " 3 0 4711 0", Process(4711)),
        ("7 (python) Z 1" + " 0" * 15 + " 1 0 4711 0", None),
        ("7 (python) X 1" + " 0" * 15 + " 1 0 4711 0", None),
        ("7 (python) Z 1" + " 0" * 15 + " 2 0 4711 0", Process(4711)),
        ("7 (python) T 1" + " 0" * 15 + " 1 0 4711 0", Process(4711)),
        ("something else", Process()),
        ("", Process()),
    ],
)
def test_stat_is_read_whatever_the_command_is_called(no_proc: Path, stat: str, found: Process | None) -> None:
    (no_proc / "7").mkdir()
    (no_proc / "7" / "stat").write_text(stat, encoding="utf-8")
    assert find_process(7) == found
