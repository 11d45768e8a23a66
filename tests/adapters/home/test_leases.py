"""Leases in a home, of real processes: killed, stopped, forked, and those whose id somebody else has now."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from studbook.adapters.home.leases import HomeLeases
from studbook.adapters.system.processes import find_process
from studbook.domain.errors import HomeUnusable
from studbook.domain.liveness import Liveness, Sightings, judge
from studbook.ports.contract.leases import LeasesContract
from studbook.ports.leases import Leases

_HOLDER = """
import pathlib, sys
from studbook.adapters.home.leases import HomeLeases
HomeLeases(pathlib.Path(sys.argv[1])).hold("w-1")
print("held", flush=True)
sys.stdin.read()
"""

_FORKER = """
import os, pathlib, sys
from studbook.adapters.home.leases import HomeLeases
leases = HomeLeases(pathlib.Path(sys.argv[1]))
leases.hold("parent")
child = os.fork()
if child == 0:
    leases.hold("child")
    os._exit(0)
os.waitpid(child, 0)
print(os.getpid(), child, flush=True)
sys.stdin.read()
"""


class TestHomeLeases(LeasesContract):
    @pytest.fixture
    def open_leases(self, tmp_path: Path) -> Callable[[], Leases]:
        return lambda: HomeLeases(tmp_path / "home")


@contextlib.contextmanager
def running(script: str, home: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process of a script, once it has said its first line; killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def verdicts(home: Path) -> dict[str, Liveness]:
    """Whether each writer lives, seen for the first time."""
    leases = HomeLeases(home)
    observer = leases.observer()
    return {lease.writer: judge(lease, observer, Sightings()) for lease in leases.read()}


def test_a_killed_writer_is_dead_at_once(tmp_path: Path) -> None:
    with running(_HOLDER, tmp_path) as (holder, said):
        assert said == "held"
        assert verdicts(tmp_path) == {"w-1": Liveness.ALIVE}
        holder.kill()
        # Ended, and not waited for: there is still an entry of it among the processes.
        os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
        assert verdicts(tmp_path) == {"w-1": Liveness.DEAD}
        holder.wait(30)
        assert verdicts(tmp_path) == {"w-1": Liveness.DEAD}


def test_a_stopped_writer_lives(tmp_path: Path) -> None:
    with running(_HOLDER, tmp_path) as (holder, _):
        holder.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, holder.pid, os.WSTOPPED | os.WNOWAIT)
        leases = HomeLeases(tmp_path)
        sightings = Sightings().then(leases.read(), 0).then(leases.read(), 3_600 * 10**9)
        (lease,) = leases.read()
        assert judge(lease, leases.observer(), sightings) is Liveness.ALIVE


def test_a_forked_child_holds_a_lease_of_its_own(tmp_path: Path) -> None:
    with running(_FORKER, tmp_path) as (_, said):
        parent, child = map(int, said.split())
        assert {lease.writer: lease.pid for lease in HomeLeases(tmp_path).read()} == {
            "parent": parent,
            "child": child,
        }
        assert verdicts(tmp_path) == {"parent": Liveness.ALIVE, "child": Liveness.DEAD}


def test_a_process_that_has_the_id_of_a_dead_one_is_not_the_writer(tmp_path: Path) -> None:
    with running(_HOLDER, tmp_path):
        path = tmp_path / "leases" / "w-1.json"
        (lease,) = HomeLeases(tmp_path).read()
        assert lease.started is not None
        path.write_text(lease.model_copy(update={"started": lease.started - 1}).model_dump_json())
        assert verdicts(tmp_path) == {"w-1": Liveness.DEAD}


@pytest.mark.parametrize("kill", [False, True])
def test_in_a_copied_home_nobody_can_tell(tmp_path: Path, kill: bool) -> None:
    with running(_HOLDER, tmp_path / "home") as (holder, _):
        shutil.copytree(tmp_path / "home", tmp_path / "copy")
        if kill:
            holder.kill()
            holder.wait(30)
        assert verdicts(tmp_path / "copy") == {"w-1": Liveness.UNKNOWN}


def test_a_moved_home_is_the_same_home(tmp_path: Path) -> None:
    HomeLeases(tmp_path / "home").hold("w-1")
    (tmp_path / "home").rename(tmp_path / "moved")
    assert verdicts(tmp_path / "moved") == {"w-1": Liveness.ALIVE}


@pytest.mark.parametrize("content", [b"", b"{", b"null", b'{"writer": "w-2", "pid": 1}', b"\xff\xfe"])
def test_a_lease_that_cannot_be_read_is_left_out(tmp_path: Path, content: bytes) -> None:
    leases = HomeLeases(tmp_path)
    leases.hold("w-1")
    (tmp_path / "leases" / "w-2.json").write_bytes(content)
    assert [lease.writer for lease in leases.read()] == ["w-1"]


def test_a_lease_under_another_writers_name_is_left_out(tmp_path: Path) -> None:
    leases = HomeLeases(tmp_path)
    leases.hold("w-1")
    shutil.copy(tmp_path / "leases" / "w-1.json", tmp_path / "leases" / "w-2.json")
    assert [lease.writer for lease in leases.read()] == ["w-1"]


def test_renewing_leaves_one_file(tmp_path: Path) -> None:
    leases = HomeLeases(tmp_path)
    for _ in range(3):
        leases.renew("w-1")
    assert [path.name for path in (tmp_path / "leases").iterdir()] == ["w-1.json"]


def test_a_lease_comes_back_when_its_folder_was_removed(tmp_path: Path) -> None:
    leases = HomeLeases(tmp_path)
    leases.hold("w-1")
    shutil.rmtree(tmp_path / "leases")
    assert leases.read() == ()
    leases.renew("w-1")
    assert verdicts(tmp_path) == {"w-1": Liveness.ALIVE}


@pytest.mark.parametrize("writer", ["", "../w", "W", "a/b", "x" * 65, "a\0"])
def test_what_names_no_writer_is_refused(tmp_path: Path, writer: str) -> None:
    leases = HomeLeases(tmp_path)
    for ask in (leases.hold, leases.renew, leases.release):
        with pytest.raises(ValueError, match="writer"):
            ask(writer)
    assert list(tmp_path.iterdir()) == []


def test_a_home_below_a_file_is_unusable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    leases = HomeLeases(tmp_path / "file")
    asks: list[Callable[[], object]] = [
        lambda: leases.hold("w-1"),
        lambda: leases.release("w-1"),
        leases.read,
        leases.observer,
    ]
    for ask in asks:
        with pytest.raises(HomeUnusable) as unusable:
            ask()
        assert "--home" in unusable.value.cure


def test_a_process_is_found_by_its_start() -> None:
    me = find_process(os.getpid())
    assert me is not None
    assert me == find_process(os.getpid())
    assert find_process(2**30) is None
