"""Questions in sidecar mode: what others left behind is delivered first, and nothing is started for nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.memory.event_log import MemoryEventLog
from studbook.adapters.memory.leases import MemoryLeaseFolder, MemoryLeases, MemoryProcesses
from studbook.application.delivery import SidecarDelivery
from studbook.application.writer_watch import WriterWatch
from studbook.domain.errors import DeliveryPending
from studbook.domain.liveness import PidSpace

from .relay_world import World, run_key, started

AWAY = PidSpace(host="away", boot_id="boot-2", pid_namespace="pids-2")


class Launcher:
    """Starts a relay that does `work`, at once."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.started = 0
        self._work = work

    def ensure(self) -> None:
        self.started += 1
        self._work()


class Home:
    """A world whose writers hold leases, and a book in sidecar mode on it."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.folder = MemoryLeaseFolder()
        self.here, self.away = MemoryProcesses(), MemoryProcesses(AWAY)
        self.launcher = Launcher(lambda: self.world.relay().drain())
        self.clock = ManualClock()
        self.watch = WriterWatch(MemoryLeases(self.folder, self.here, pid=1), self.clock)

    def delivery(self, launcher: Launcher | None = None) -> SidecarDelivery:
        return SidecarDelivery(
            self.world.log,
            self.world.ledger,
            launcher or self.launcher,
            self.watch,
            self.world.relay,
            self.clock,
        )

    def writer(self, pid: int, *, away: bool = False) -> MemoryEventLog:
        """A further writer, which lives."""
        log = self.world.new_log()
        MemoryLeases(self.folder, self.away if away else self.here, pid=pid).hold(log.writer)
        return log

    def stored(self) -> list[str]:
        return sorted(run.name for run in self.world.runs())


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_on_an_idle_home_nothing_is_started(home: Home) -> None:
    home.world.say("a", started("a"), log=home.writer(7))
    home.world.relay().drain()
    home.delivery().catch_up(0.0)
    home.delivery().flush(0.0)
    assert home.launcher.started == 0


def test_what_a_killed_program_left_is_delivered_before_an_answer(home: Home) -> None:
    home.world.say("a", started("a"), log=home.writer(7))
    home.here.kill(7)
    home.delivery().catch_up()
    assert (home.stored(), home.launcher.started) == (["a"], 0)


def test_what_a_program_left_that_gave_its_lease_back_is_delivered(home: Home) -> None:
    home.world.say("a", started("a"), log=home.world.new_log())
    home.delivery().catch_up()
    assert home.stored() == ["a"]


def test_in_a_copied_home_everything_was_left(home: Home) -> None:
    home.world.say("a", started("a"), log=home.writer(7))
    home.folder = home.folder.copied(inode=2)
    home.watch = WriterWatch(MemoryLeases(home.folder, home.here, pid=1), home.clock)
    home.delivery().catch_up()
    assert home.stored() == ["a"]


@pytest.mark.parametrize("away", [False, True])
def test_a_living_program_is_not_waited_for(home: Home, away: bool) -> None:
    home.world.say("a", started("a"), log=home.writer(7, away=away))
    home.delivery().catch_up(0.0)
    assert home.launcher.started == 0


def test_a_question_waits_for_what_this_book_recorded_too(home: Home) -> None:
    home.world.say("a", started("a"))
    home.world.say("b", started("b"), log=home.world.new_log())
    home.delivery().catch_up()
    assert home.stored() == ["a", "b"]


def test_a_flush_waits_for_nobody_elses_events(home: Home) -> None:
    home.world.say("a", started("a"), log=home.world.new_log())
    home.delivery().flush(0.0)
    home.delivery().leave(0.0)
    assert home.launcher.started == 0


def test_a_relay_that_gets_nowhere_is_told_with_its_problem(home: Home) -> None:
    def fail() -> None:
        home.world.ledger.report("the server is away")

    home.world.say("a", started("a"))
    launcher = Launcher(fail)
    with pytest.raises(DeliveryPending, match=r"1 event is .* the server is away") as caught:
        home.delivery(launcher).flush(5.0)
    assert caught.value.details["pending"] == 1
    assert "studbook status" in caught.value.cure
    assert launcher.started == 3  # again every other second, in case it died


def test_a_question_leaves_a_relay_at_work_alone(home: Home) -> None:
    home.world.say("a", started("a"))
    with home.world.ledger.lease(0.0), pytest.raises(DeliveryPending):
        home.delivery().catch_up(1.0)
    assert (home.stored(), home.launcher.started) == ([], 0)


def test_a_run_is_known_when_it_is_delivered(home: Home) -> None:
    home.world.say("a", started("a"))
    delivery = home.delivery()
    assert delivery.run_id(run_key("a")) is None
    delivery.flush()
    assert delivery.run_id(run_key("a")) == home.world.run("a").run_id
