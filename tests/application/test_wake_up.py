"""A program that stood still for long looks whether others have ended its runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.memory.event_log import MemoryEventLog, MemoryJournal
from studbook.adapters.memory.ids import CountingIds
from studbook.application.wake_up import WakeUp
from studbook.domain.events import Envelope
from studbook.domain.keys import RunKey
from studbook.domain.run_events import RunReaped
from studbook.ports.event_log import Cursor, Happening

MINE, OTHER = RunKey("rk3:" + "1" * 64), RunKey("rk3:" + "2" * 64)
TTL_S = 90.0


class Log(MemoryEventLog):
    """Counts how often it is read."""

    reads = 0

    def read(self, after: Cursor | None = None) -> Iterator[Envelope]:
        self.reads += 1
        return super().read(after or {})


class Sleeper:
    def __init__(self) -> None:
        self.clock, ids, journal = ManualClock(), CountingIds(), MemoryJournal()
        self.log = Log(self.clock, ids, journal=journal)
        self.reaper = MemoryEventLog(self.clock, ids, journal=journal)
        self.wake_up = WakeUp(self.log, self.clock, ttl_s=TTL_S)

    def reaped(self, key: RunKey) -> None:
        self.reaper.append(Happening(RunReaped(reason="lost", last_event_ns=1), key, self.clock.now_ns()))

    def after(self, seconds: float) -> tuple[RunKey, ...]:
        self.clock.advance(seconds)
        return self.wake_up.ended_meanwhile({MINE})


@pytest.fixture
def sleeper() -> Sleeper:
    return Sleeper()


def test_who_is_awake_reads_nothing(sleeper: Sleeper) -> None:
    sleeper.reaped(MINE)
    assert [sleeper.after(15) for _ in range(20)] == [()] * 20
    assert sleeper.log.reads == 0


def test_after_a_long_sleep_the_ended_runs_are_told_once(sleeper: Sleeper) -> None:
    sleeper.reaped(OTHER)
    sleeper.reaped(MINE)
    assert sleeper.after(TTL_S + 1) == (MINE,)
    assert sleeper.after(15) == ()


def test_who_ends_them_a_little_later_is_seen_too(sleeper: Sleeper) -> None:
    assert sleeper.after(TTL_S + 1) == ()
    sleeper.reaped(MINE)
    assert sleeper.after(15) == (MINE,)


def test_it_does_not_look_for_ever(sleeper: Sleeper) -> None:
    sleeper.after(TTL_S + 1)
    for _ in range(20):
        sleeper.after(15)
    reads = sleeper.log.reads
    sleeper.after(15)
    assert sleeper.log.reads == reads


def test_a_suspended_machine_is_seen_by_its_calendar(sleeper: Sleeper) -> None:
    sleeper.reaped(MINE)
    sleeper.clock._start_ns += int((TTL_S + 1) * 1e9)
    assert sleeper.after(1) == (MINE,)


def test_what_was_before_it_began_is_no_gap(sleeper: Sleeper) -> None:
    sleeper.clock.advance(TTL_S + 1)
    sleeper.wake_up.begin()
    assert sleeper.after(1) == ()
    assert sleeper.log.reads == 0
