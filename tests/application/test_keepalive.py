"""A book's signs of life: when they are given, and that they never disturb the program."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.memory.event_log import MemoryEventLog
from studbook.adapters.memory.ids import CountingIds
from studbook.adapters.memory.leases import MemoryLeases
from studbook.adapters.system.clock import SystemClock
from studbook.application.keepalive import KeepAlive
from studbook.domain.errors import HomeUnusable, JournalError
from studbook.domain.events import Envelope
from studbook.domain.keys import RunKey
from studbook.domain.run_events import RunHeartbeat, RunReaped
from studbook.ports.clock import Clock
from studbook.ports.event_log import Happening

ONE, TWO = RunKey("rk3:" + "1" * 64), RunKey("rk3:" + "2" * 64)

FORKS = """
import os, pathlib, sys
from studbook.adapters.home.leases import HomeLeases
from studbook.adapters.journal.event_log import JournalEventLog
from studbook.adapters.system.clock import SystemClock
from studbook.adapters.system.ids import SystemIds
from studbook.application.keepalive import KeepAlive
from studbook.domain.keys import RunKey

home, first = pathlib.Path(sys.argv[1]), sys.argv[2]
clock, leases = SystemClock(), HomeLeases(home)
log = JournalEventLog(home, clock=clock, ids=SystemIds(), target="memory")
keep = KeepAlive(log, leases, clock)
run = RunKey("rk3:" + "1" * 64)
keep.opened(run)
parent = leases.read()
assert [lease.pid for lease in parent] == [os.getpid()], parent
assert parent[0].writer == log.writer
child = os.fork()
if child == 0:
    status = 1
    try:
        assert leases.read() == parent
        getattr(keep, first)(run)
        own = [lease for lease in leases.read() if lease.pid == os.getpid()]
        assert [lease.writer for lease in own] == [log.writer], own
        assert parent[0] in leases.read()
        if first == "opened":
            keep.ended(run)
        keep.close()
        assert leases.read() == parent
        status = 0
    finally:
        os._exit(status)
_, status = os.waitpid(child, 0)
keep.ended(run)
keep.close()
assert leases.read() == ()
sys.exit(os.waitstatus_to_exitcode(status))
"""


class Log(MemoryEventLog):
    """Counts syncs, tells whoever waits, and fails on demand."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, CountingIds())
        self.syncs = 0
        self.failing = False
        self.happened = threading.Condition()

    def append(self, *happenings: Happening) -> tuple[Envelope, ...]:
        if self.failing:
            raise JournalError("full", cure="free some space")
        with self.happened:
            self.happened.notify_all()
            return super().append(*happenings)

    def sync(self) -> None:
        if self.failing:
            raise JournalError("full", cure="free some space")
        with self.happened:
            self.syncs += 1
            self.happened.notify_all()

    def beats(self) -> list[tuple[RunKey | None, int]]:
        """The heartbeats: of which run, and when in seconds of the test."""
        return [
            (envelope.run_key, (envelope.occurred_at_ns - self.opened_at_ns) // 10**9)
            for envelope in self.read()
            if isinstance(envelope.event, RunHeartbeat)
        ]


class Leases(MemoryLeases):
    """Fails on demand."""

    failing = False

    def hold(self, writer: str) -> None:
        if self.failing:
            raise HomeUnusable("read-only", cure="give it to this user")
        super().hold(writer)


class Unhurried(KeepAlive):
    """Its thread has nothing to do: the test beats."""

    def _start_thread(self) -> None:
        self._thread = threading.Thread()
        self._thread.start()


class World:
    """A keep-alive that beats when the test says so."""

    def __init__(self, *, fsync_interval_s: float | None = 1.0) -> None:
        self.clock = ManualClock()
        self.log = Log(self.clock)
        self.leases = Leases()
        self.keep = Unhurried(self.log, self.leases, self.clock, fsync_interval_s=fsync_interval_s)

    def beat_for(self, seconds: int) -> None:
        """Beat whenever the keep-alive wants to, as its thread would."""
        end = self.clock.monotonic_ns() + seconds * 10**9
        while True:
            wait_ns = int(self.keep.beat() * 1e9)
            left = end - self.clock.monotonic_ns()
            if wait_ns > left:
                self.clock.advance(left / 1e9)
                return
            assert wait_ns > 0
            self.clock.advance(wait_ns / 1e9)

    def counter(self) -> int:
        (lease,) = self.leases.read()
        return lease.counter


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def real() -> Iterator[Callable[..., tuple[KeepAlive, Log, Leases]]]:
    """Keep-alives with their threads, by the machine's clock."""
    kept: list[KeepAlive] = []

    def make(**settings: float) -> tuple[KeepAlive, Log, Leases]:
        clock = SystemClock()
        log, leases = Log(clock), Leases()
        kept.append(KeepAlive(log, leases, clock, **settings))
        return kept[-1], log, leases

    yield make
    for keep in kept:
        keep.close()


def test_the_lease_is_held_before_the_first_run_begins(world: World) -> None:
    assert world.leases.read() == ()
    world.keep.opened(ONE)
    assert [lease.writer for lease in world.leases.read()] == [world.log.writer]


def test_the_lease_is_renewed_every_fifteen_seconds(world: World) -> None:
    world.keep.opened(ONE)
    first = world.counter()
    world.beat_for(14)
    assert world.counter() == first
    world.beat_for(2)
    assert world.counter() == first + 1
    world.beat_for(60)
    assert world.counter() == first + 5


def test_a_lease_that_was_removed_comes_back(world: World) -> None:
    world.keep.opened(ONE)
    world.leases.release(world.log.writer)
    world.beat_for(16)
    assert [lease.writer for lease in world.leases.read()] == [world.log.writer]


def test_a_quiet_run_has_a_heartbeat_every_minute(world: World) -> None:
    world.keep.opened(ONE)
    world.beat_for(59)
    assert world.log.beats() == []
    world.beat_for(122)
    assert world.log.beats() == [(ONE, 60), (ONE, 120), (ONE, 180)]


def test_an_event_puts_the_heartbeat_off_for_its_own_run_only(world: World) -> None:
    world.keep.opened(ONE)
    world.keep.opened(TWO)
    world.beat_for(30)
    world.keep.touch(ONE)
    world.beat_for(59)
    assert world.log.beats() == [(TWO, 60)]
    world.beat_for(2)
    assert [run_key for run_key, _ in world.log.beats()] == [TWO, ONE]


def test_a_run_that_ended_has_no_more_heartbeats(world: World) -> None:
    world.keep.opened(ONE)
    world.beat_for(61)
    world.keep.ended(ONE)
    world.keep.ended(TWO)
    world.keep.touch(ONE)
    world.beat_for(300)
    assert world.log.beats() == [(ONE, 60)]


def test_after_a_long_stop_there_is_one_heartbeat(world: World) -> None:
    world.keep.opened(ONE)
    world.clock.advance(3600)
    world.beat_for(1)
    assert world.log.beats() == [(ONE, 3600)]


def test_the_log_is_synced_every_interval_while_a_run_is_open(world: World) -> None:
    world.keep.opened(ONE)
    world.beat_for(10)
    assert world.log.syncs == 10
    world.keep.ended(ONE)
    world.beat_for(14)
    assert world.log.syncs <= 12


def test_the_log_is_not_synced_when_nobody_asks_for_it() -> None:
    world = World(fsync_interval_s=None)
    world.keep.opened(ONE)
    world.beat_for(100)
    assert world.log.syncs == 0
    assert world.log.beats() == [(ONE, 60)]


@given(st.lists(st.tuples(st.integers(0, 100), st.sampled_from(["opened", "touch", "ended"]))))
def test_an_open_run_is_never_silent_for_much_longer_than_a_minute(steps: list[tuple[int, str]]) -> None:
    """And one that is not open says nothing. Events are seen at the next beat, at most a second later."""
    world = World()
    world.keep.opened(TWO)
    is_open, signs = False, 0
    for wait, step in steps:
        before = len(world.log.beats())
        world.beat_for(wait)
        beats = [at for run_key, at in world.log.beats()[before:] if run_key == ONE]
        now = world.clock.monotonic_ns() // 10**9
        if is_open:
            for earlier, later in zip([signs, *beats], [*beats, now], strict=True):
                assert later - earlier <= 62
        else:
            assert beats == []
        signs = max([signs, *beats])
        getattr(world.keep, step)(ONE)
        if step != "ended":
            signs = now
        is_open = step == "opened" or (is_open and step != "ended")
    world.keep.close()


def test_trouble_is_logged_once_and_never_raised(world: World) -> None:
    world.log.failing = world.leases.failing = True
    with structlog.testing.capture_logs() as logs:
        world.keep.opened(ONE)
        world.beat_for(200)
        world.keep.touch(ONE)
    assert sorted(entry["action"] for entry in logs) == ["heartbeat", "lease", "sync"]


def test_trouble_that_is_over_ends_and_would_be_told_again(world: World) -> None:
    world.leases.failing = True
    with structlog.testing.capture_logs() as logs:
        world.keep.opened(ONE)
        world.beat_for(50)
        world.leases.failing = False
        world.beat_for(16)
        assert len(world.leases.read()) == 1
        world.leases.failing = True
        world.beat_for(50)
    assert [entry["action"] for entry in logs] == ["lease", "lease"]


def test_a_run_that_others_ended_while_the_program_slept_is_told_of(world: World) -> None:
    ids = CountingIds()
    ids.writer()
    reaper = MemoryEventLog(world.clock, ids, journal=world.log.journal)
    for run in (ONE, TWO):
        world.keep.opened(run)
    reaper.append(Happening(RunReaped(reason="lost", last_event_ns=1), ONE, world.clock.now_ns()))
    world.clock.advance(91)
    with structlog.testing.capture_logs() as logs:
        world.beat_for(200)
    assert [(entry["run"], entry["log_level"]) for entry in logs] == [(ONE, "warning")]
    assert {run for run, _ in world.log.beats()} == {TWO}


def test_closing_gives_the_lease_back(world: World) -> None:
    world.keep.opened(ONE)
    world.keep.ended(ONE)
    world.keep.close()
    world.keep.close()
    assert world.leases.read() == ()
    world.keep.opened(TWO)
    world.keep.touch(TWO)
    assert world.leases.read() == ()


def test_closing_with_an_open_run_leaves_the_lease_for_whoever_ends_it(world: World) -> None:
    world.keep.opened(ONE)
    world.keep.close()
    assert len(world.leases.read()) == 1


def test_closing_what_never_began_is_fine(world: World) -> None:
    world.keep.close()
    assert world.leases.read() == ()


def test_a_thread_of_its_own_does_all_this(real: Callable[..., tuple[KeepAlive, Log, Leases]]) -> None:
    keep, log, leases = real(interval_s=0.002, fsync_interval_s=0.001, heartbeat_s=0.003)
    keep.opened(ONE)
    with log.happened:
        assert log.happened.wait_for(lambda: len(log.beats()) >= 3 and log.syncs >= 3, 30)
    keep.ended(ONE)
    keep.close()
    assert leases.read() == ()
    done = (len(log.beats()), log.syncs)
    assert not [thread for thread in threading.enumerate() if thread.name == "studbook-keepalive"]
    assert (len(log.beats()), log.syncs) == done


def test_a_run_that_is_opened_wakes_a_thread_that_waits_for_long(
    real: Callable[..., tuple[KeepAlive, Log, Leases]],
) -> None:
    keep, log, _ = real(interval_s=1000, fsync_interval_s=None, heartbeat_s=0.001)
    keep.touch(None)
    keep.opened(ONE)
    with log.happened:
        assert log.happened.wait_for(log.beats, 30)


def test_closing_does_not_wait_for_the_interval(real: Callable[..., tuple[KeepAlive, Log, Leases]]) -> None:
    keep, _, leases = real(interval_s=1000, fsync_interval_s=1000, heartbeat_s=1000)
    keep.touch(ONE)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "studbook-keepalive"]
    assert thread.daemon
    keep.close()
    assert not thread.is_alive()
    assert leases.read() == ()


@pytest.mark.parametrize("first", ["opened", "touch"])
def test_a_forked_child_keeps_its_own_writer_alive_and_leaves_its_parents_alone(
    tmp_path: Path, first: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKS, str(tmp_path), first],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
