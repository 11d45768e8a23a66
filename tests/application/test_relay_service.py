"""The relay at work: it stays while somebody lives or something waits, and misses nobody when it leaves."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.memory.delivery_ledger import MemoryDeliveryLedger
from studbook.adapters.memory.leases import MemoryLeaseFolder, MemoryLeases, MemoryProcesses
from studbook.application import relay_service
from studbook.application.reap import ReapDead
from studbook.application.relay_service import RelayService
from studbook.application.writer_watch import WriterWatch
from studbook.domain.errors import TrackingDenied, TrackingUnavailable
from studbook.domain.run import RunStatus
from studbook.ports.tracking_store import NewRun

from .relay_world import FINISHED, Cut, World, started


class _Watched(MemoryDeliveryLedger):
    """Calls `leaving` once, at the last moment at which the lease is held."""

    leaving: Callable[[], None] | None = None

    @contextlib.contextmanager
    def lease(self, timeout_s: float) -> Iterator[bool]:
        with super().lease(timeout_s) as held:
            yield held
            leaving, self.leaving = self.leaving, None
            if leaving is not None:
                leaving()


class _Scripted(ManualClock):
    """Has something happen at each sleep, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.then: list[Callable[[], object]] = []

    def sleep(self, seconds: float) -> None:
        assert self.then, "the relay waits for something that does not come"
        self.then.pop(0)()
        super().sleep(seconds)


class Serving:
    """A home with a relay service and further processes."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.clock = _Scripted()
        self.ledger = _Watched()
        self.processes = MemoryProcesses()
        self.forgotten: list[str] = []
        self.folder = MemoryLeaseFolder()
        self.world.clock = self.clock
        self.serve_with(None)

    def serve_with(self, cut: Cut | None) -> None:
        """A service whose stores' writes are cut."""
        watch = WriterWatch(MemoryLeases(self.folder, self.processes), self.clock)
        relay_log = self.world.new_log()
        reap = ReapDead(relay_log, self.ledger, watch, self.clock, "studbook")
        self.service = RelayService(
            self.world.relay(self.ledger, cut),
            self.ledger,
            reap,
            watch,
            self.clock,
            forget_dead=lambda: self.forgotten.append(self.world.log.writer),
            denied_pause_s=1.0,
        )

    def comes(self) -> None:
        """The home's writer holds its lease, and finds a relay at work."""
        MemoryLeases(self.folder, self.processes, pid=2).hold(self.world.log.writer)

    def says(self) -> None:
        """It logs a run, unfinished."""
        self.world.say("mine", started("mine"))

    def leaves(self) -> None:
        """It ends the run, and gives up its lease."""
        self.world.say("mine", FINISHED)
        MemoryLeases(self.folder, self.processes, pid=2).release(self.world.log.writer)

    def dies(self) -> None:
        """It is killed."""
        self.processes.kill(2)


@pytest.fixture
def serving(tmp_path: Path) -> Serving:
    return Serving(tmp_path)


def test_it_leaves_at_once_where_nobody_is(serving: Serving) -> None:
    serving.service.run()
    assert serving.world.runs() == []


def test_it_stays_until_its_writer_has_left(serving: Serving) -> None:
    serving.comes()
    serving.clock.then = [serving.says, serving.leaves]
    serving.service.run()
    assert serving.clock.then == []
    assert serving.world.run("mine").status is RunStatus.FINISHED


def test_who_comes_while_it_leaves_is_served(serving: Serving) -> None:
    serving.ledger.leaving = serving.comes
    serving.clock.then = [serving.says, serving.leaves]
    serving.service.run()
    assert serving.clock.then == []
    assert serving.world.run("mine").status is RunStatus.FINISHED


def test_it_ends_the_runs_of_who_dies(serving: Serving) -> None:
    serving.comes()
    serving.clock.then = [serving.says, serving.dies, lambda: None]
    serving.service.run()
    assert serving.world.run("mine").status is RunStatus.KILLED
    assert serving.world.run("mine").tags["studbook.end_reason"] == "lost"
    assert serving.forgotten == [serving.world.log.writer]


def test_a_second_one_leaves_the_work_to_the_first(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_service, "_TAKE_OVER_S", 0.01)
    serving.says()
    with serving.ledger.lease(0.0) as held:
        assert held
        serving.service.run()
    assert serving.world.runs() == []


def test_refused_credentials_let_it_rest_and_are_asked_for_again(serving: Serving) -> None:
    create, refusals = serving.world.store.create_run, [TrackingDenied("no entry", cure="log in")]

    def guarded(new: NewRun) -> str:
        if refusals:
            raise refusals.pop()
        return str(create(new))

    told: list[str | None] = []
    serving.world.store.create_run = guarded
    serving.says()
    serving.clock.then = [lambda: told.append(serving.ledger.problem()), lambda: None, lambda: None]
    serving.service.run()
    assert told == ["no entry"]
    assert serving.ledger.problem() is None
    assert serving.world.run("mine").status is RunStatus.RUNNING


def test_what_keeps_it_from_delivering_is_known_from_the_first_try_on(serving: Serving) -> None:
    problems: list[str | None] = []

    def look() -> None:
        problems.append(serving.ledger.problem())

    def unavailable() -> TrackingUnavailable:
        return TrackingUnavailable("the server is away", cure="wait")

    serving.serve_with(Cut(1, unavailable, after=False, times=2))
    serving.says()
    serving.clock.then = [look, look]
    serving.service.run()
    assert problems == ["the server is away"] * 2
    assert serving.ledger.problem() is None


def test_it_stops_when_it_is_told(serving: Serving) -> None:
    serving.comes()
    serving.clock.then = [serving.says, serving.service.stop]
    serving.service.run(stay=True)
    assert serving.world.run("mine").status is RunStatus.RUNNING
    assert serving.forgotten == []
