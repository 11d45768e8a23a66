"""Watching the writers of a home."""

from __future__ import annotations

from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.memory.leases import MemoryLeaseFolder, MemoryLeases, MemoryProcesses
from studbook.application.writer_watch import Doubt, Look, WriterWatch
from studbook.domain.liveness import Liveness, PidSpace


class Home:
    """A home, this machine, and another one that shares the folder."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.folder = MemoryLeaseFolder()
        self.here = MemoryProcesses()
        self.away = MemoryProcesses(PidSpace(host="away", boot_id="boot-2", pid_namespace="pids-2"))
        self.watch = self.observed(self.folder)

    def observed(self, folder: MemoryLeaseFolder) -> WriterWatch:
        return WriterWatch(MemoryLeases(folder, self.here, pid=1), self.clock)

    def writer(self, name: str, *, away: bool = False, pid: int = 7) -> MemoryLeases:
        leases = MemoryLeases(self.folder, self.away if away else self.here, pid=pid)
        leases.hold(name)
        return leases


def test_a_writer_of_this_machine_is_known_at_once() -> None:
    home = Home()
    home.writer("w")
    look = home.watch.look()
    assert (look.of("w"), look.doubt("w")) == (Liveness.ALIVE, None)
    assert home.watch.may_write("w")
    home.here.kill(7)
    look = home.watch.look()
    assert (look.of("w"), look.doubt("w")) == (Liveness.DEAD, None)
    assert not home.watch.may_write("w")


def test_a_writer_of_another_machine_is_watched() -> None:
    home = Home()
    leases = home.writer("w", away=True)
    assert home.watch.look().doubt("w") is Doubt.UNDECIDED
    assert home.watch.may_write("w")
    home.clock.advance(60)
    leases.renew("w")
    assert home.watch.look().of("w") is Liveness.ALIVE
    home.clock.advance(89)
    assert home.watch.look().of("w") is Liveness.ALIVE
    home.clock.advance(1)
    assert home.watch.look().of("w") is Liveness.DEAD
    leases.renew("w")
    assert home.watch.look().of("w") is Liveness.ALIVE


def test_a_writer_without_a_lease_is_in_doubt_and_nothing_more_comes_from_it() -> None:
    home = Home()
    assert home.watch.look().of("w") is Liveness.UNKNOWN
    assert home.watch.look().doubt("w") is Doubt.NO_LEASE
    assert Look().doubt("w") is Doubt.NO_LEASE
    assert not home.watch.may_write("w")


def test_the_writers_of_a_copied_home_stay_in_doubt_and_nothing_more_comes_from_them() -> None:
    home = Home()
    home.writer("w")
    home.here.kill(7)
    copy = home.observed(home.folder.copied(inode=2))
    for _ in range(3):
        look = copy.look()
        assert (look.of("w"), look.doubt("w")) == (Liveness.UNKNOWN, Doubt.COPIED_HOME)
        home.clock.advance(90)
    assert not copy.may_write("w")
