"""The leases of writers that have died and left nothing to do are removed, and no others."""

from __future__ import annotations

import pytest

from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.memory.delivery_ledger import MemoryDeliveryLedger
from studbook.adapters.memory.leases import MemoryLeaseFolder, MemoryLeases, MemoryProcesses
from studbook.application.forget_dead import ForgetDead
from studbook.application.writer_watch import WriterWatch
from studbook.domain.keys import RunKey
from studbook.domain.liveness import PidSpace
from studbook.domain.stage import Stage
from studbook.ports.delivery_ledger import RunChanges, StartedRun
from studbook.ports.journal_survey import DamagedPlace

from .test_home_status import Survey

RUN = RunKey.of({"run": 1})
AWAY = PidSpace(host="away", boot_id="boot-2", pid_namespace="pids-2")


class Home:
    """A home with two targets, whose writer `w` recorded three events for `here`, and died."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.survey = Survey(events={"here": {"w": [1, 2, 3]}, "there": {"v": [1]}})
        self.ledgers = {"here": MemoryDeliveryLedger(), "there": MemoryDeliveryLedger()}
        self.folder = MemoryLeaseFolder()
        self.processes = MemoryProcesses()
        self.forget = self.forgetter()
        self.dies("w", 7)

    def forgetter(self) -> ForgetDead:
        leases = MemoryLeases(self.folder, self.processes)
        self.watch = WriterWatch(leases, self.clock)
        return ForgetDead(self.survey, self.ledgers.get, leases, self.watch)

    def dies(self, writer: str, pid: int) -> None:
        MemoryLeases(self.folder, self.processes, pid=pid).hold(writer)
        self.processes.kill(pid)

    def deliver(self, sequence: int, target: str = "here", *, open_run: bool = False) -> None:
        run = StartedRun(RUN, "w", "p", Stage.TRIAL, None, 1)
        self.ledgers[target].advance({"w": sequence}, RunChanges(started=(run,) if open_run else ()))

    def left(self) -> list[str]:
        return sorted(self.folder.leases)


@pytest.fixture
def home() -> Home:
    return Home()


def test_a_dead_writer_with_nothing_left_to_do_is_forgotten(home: Home) -> None:
    home.deliver(3)
    assert home.forget() == ("w",)
    assert home.left() == []
    assert home.forget() == ()


def test_one_with_events_that_wait_is_not(home: Home) -> None:
    home.deliver(2)
    assert home.forget() == ()
    assert home.left() == ["w"]


def test_what_another_target_has_does_not_count(home: Home) -> None:
    home.deliver(3, "there")
    assert home.forget() == ()
    assert home.left() == ["w"]


@pytest.mark.parametrize("target", ["here", "there"])
def test_one_with_an_open_run_is_not(home: Home, target: str) -> None:
    home.deliver(3)
    home.deliver(3, target, open_run=True)
    assert home.forget() == ()
    home.ledgers[target].advance({}, RunChanges(ended=frozenset({RUN})))
    assert home.forgetter()() == ("w",)


def test_one_whose_journal_waits_for_a_missing_file_is_not(home: Home) -> None:
    home.deliver(3)
    home.survey.damage = (DamagedPlace("w", "w-002.jsonl", 0, 0, "missing", "bring it", holds=True),)
    assert home.forget() == ()
    assert home.left() == ["w"]


def test_the_living_are_not(home: Home) -> None:
    MemoryLeases(home.folder, home.processes, pid=8).hold("alive")
    home.deliver(3)
    assert home.forget() == ("w",)
    assert home.left() == ["alive"]


def test_a_writer_of_another_machine_is_watched_first(home: Home) -> None:
    away = MemoryLeases(home.folder, MemoryProcesses(AWAY), pid=9)
    away.hold("away")
    home.deliver(3)
    assert home.forget() == ("w",)
    home.clock.advance(home.watch.ttl_s)
    assert home.forget() == ("away",)
    away.renew("away")
    assert home.left() == ["away"]
    assert home.forget() == ()


def test_nobody_is_forgotten_in_a_copied_home(home: Home) -> None:
    home.deliver(3)
    home.folder.inode += 1
    assert home.forget() == ()
    assert home.left() == ["w"]


def test_the_journal_is_read_again_only_when_another_one_has_died(home: Home) -> None:
    assert home.forget() == ()
    home.survey.asked = {"nobody": 1}
    assert home.forget() == ()
    assert home.survey.asked == {"nobody": 1}
    home.deliver(3)
    home.dies("u", 8)
    assert home.forget() == ("u", "w")
