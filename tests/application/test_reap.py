"""Ending what dead writers left open, and leaving everything else alone."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.memory.delivery_ledger import MemoryDeliveryLedger
from studbook.adapters.memory.event_log import MemoryEventLog, MemoryJournal
from studbook.adapters.memory.ids import CountingIds
from studbook.adapters.memory.leases import MemoryLeaseFolder, MemoryLeases, MemoryProcesses
from studbook.application.open_runs import run_changes
from studbook.application.reap import LeftAlone, ReapDead, ReapReport
from studbook.application.writer_watch import WriterWatch
from studbook.domain.events import Envelope, Event
from studbook.domain.keys import RunKey
from studbook.domain.liveness import PidSpace
from studbook.domain.run import Ending
from studbook.domain.run_events import MetricsLogged, RunEnded, RunReaped, RunStarted
from studbook.domain.stage import Stage
from studbook.ports.event_log import Happening

ENDED = RunEnded(ending=Ending.finished())
AWAY = PidSpace(host="away", boot_id="boot-2", pid_namespace="pids-2")


def key(name: str) -> RunKey:
    return RunKey.of({"name": name})


class Writer:
    """A process that records: a log and a lease."""

    def __init__(self, home: Home, processes: MemoryProcesses, pid: int) -> None:
        self.home = home
        self.pid = pid
        self.log = MemoryEventLog(home.clock, home.ids, journal=home.journal)
        self.leases = MemoryLeases(home.folder, processes, pid=pid)
        self.leases.hold(self.log.writer)
        self._processes = processes

    def start(
        self,
        name: str,
        *,
        stage: Stage = Stage.FINAL_TRAINING,
        parent: str | None = None,
        project: str = "p",
    ) -> None:
        self.say(
            name,
            RunStarted(
                project=project,
                stage=stage,
                subject={},
                attempt=1,
                name=name,
                experiment="e",
                parent=None if parent is None else key(parent),
                version="1",
            ),
        )

    def say(self, name: str, *events: Event) -> int:
        self.home.clock.advance(1)
        now = self.home.clock.now_ns()
        self.log.append(*(Happening(event, key(name), now) for event in events))
        return now

    def kill(self) -> None:
        self._processes.kill(self.pid)


class Home:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.ids = CountingIds()
        self.journal = MemoryJournal()
        self.folder = MemoryLeaseFolder()
        self.ledger = MemoryDeliveryLedger()
        self.here, self.away = MemoryProcesses(), MemoryProcesses(AWAY)
        self._pids = itertools.count(10)
        self.me = self.writer()
        self.reap = self.reaper(self.me)

    def writer(self, *, away: bool = False) -> Writer:
        return Writer(self, self.away if away else self.here, next(self._pids))

    def reaper(self, writer: Writer, project: str = "p") -> ReapDead:
        watch = WriterWatch(writer.leases, self.clock)
        return ReapDead(writer.log, self.ledger, watch, self.clock, project)

    def deliver(self) -> None:
        envelopes = list(self.me.log.read(self.ledger.cursor()))
        cursor = {envelope.writer: envelope.sequence for envelope in envelopes}
        self.ledger.advance(cursor, run_changes(envelopes))

    def reaped(self) -> list[Envelope]:
        return [envelope for envelope in self.me.log.read() if isinstance(envelope.event, RunReaped)]


def names(report: ReapReport) -> list[str]:
    """What was reaped, by the names that these tests give."""
    known = {key(name): name for name in ("sweep", "trial", "fold", "refit", "a", "b", "c")}
    return [known[run.run_key] for run in report.reaped]


def why_left(report: ReapReport) -> list[LeftAlone]:
    return [each.why for each in report.left]


@pytest.fixture
def home() -> Home:
    return Home()


@pytest.mark.parametrize("delivered", [False, True])
def test_the_runs_of_a_killed_writer_end_innermost_first_at_their_last_events(
    home: Home, delivered: bool
) -> None:
    writer = home.writer()
    writer.start("sweep", stage=Stage.SWEEP)
    writer.start("refit", stage=Stage.REFIT, parent="sweep")
    writer.start("trial", stage=Stage.TRIAL, parent="sweep")
    writer.start("fold", stage=Stage.FOLD, parent="trial")
    last = writer.say("fold", MetricsLogged(metrics={"loss": 0.5}))
    if delivered:
        home.deliver()
    writer.kill()
    assert names(home.reap()) == ["fold", "trial", "refit", "sweep"]
    events = home.reaped()
    assert {envelope.writer for envelope in events} == {home.me.log.writer}
    assert [envelope.run_key for envelope in events] == [key(n) for n in ("fold", "trial", "refit", "sweep")]
    assert events[0].event == RunReaped(reason="lost", last_event_ns=last, stage=Stage.FOLD)


def test_twice_reaps_once(home: Home) -> None:
    writer = home.writer()
    writer.start("a")
    writer.kill()
    assert names(home.reap()) == ["a"]
    assert home.reap() == ReapReport()
    home.deliver()
    assert home.reap() == ReapReport()
    assert len(home.reaped()) == 1


def test_what_ended_is_left_alone(home: Home) -> None:
    writer = home.writer()
    writer.start("a")
    writer.start("b")
    writer.say("a", ENDED)
    writer.kill()
    assert names(home.reap()) == ["b"]


@pytest.mark.parametrize("away", [False, True])
def test_a_live_writer_is_left_alone(home: Home, away: bool) -> None:
    writer = home.writer(away=away)
    writer.start("a")
    home.me.start("b")
    home.reap()
    home.clock.advance(89)
    writer.leases.renew(writer.log.writer)
    report = home.reap(older_than_s=0)
    assert report.reaped == ()
    assert why_left(report) == [LeftAlone.ALIVE] * 2
    assert home.reaped() == []


def test_ones_own_runs_are_left_alone_even_without_a_lease(home: Home) -> None:
    home.me.start("a")
    home.me.leases.release(home.me.log.writer)
    assert why_left(home.reap(older_than_s=0)) == [LeftAlone.ALIVE]


def test_another_project_is_left_alone(home: Home) -> None:
    writer = home.writer()
    writer.start("a", project="q")
    writer.kill()
    assert why_left(home.reap(older_than_s=0)) == [LeftAlone.OTHER_PROJECT]
    assert names(home.reaper(home.me, "q")()) == ["a"]


def test_a_writer_that_no_lease_tells_of_is_reaped_only_when_asked_for_by_age(home: Home) -> None:
    writer = home.writer()
    writer.start("a")
    writer.leases.release(writer.log.writer)
    writer.kill()
    home.clock.advance(100)
    assert why_left(home.reap(wait=True)) == [LeftAlone.NO_LEASE]
    assert why_left(home.reap(older_than_s=101)) == [LeftAlone.NO_LEASE]
    assert names(home.reap(older_than_s=100)) == ["a"]


def test_the_writers_of_a_copied_home_are_reaped_only_when_asked_for_by_age(home: Home) -> None:
    writer = home.writer()
    writer.start("a")
    writer.kill()
    home.folder.inode = 2
    home.clock.advance(200)
    assert why_left(home.reap(wait=True)) == [LeftAlone.COPIED_HOME]
    assert names(home.reap(older_than_s=200)) == ["a"]


def test_a_writer_of_another_machine_is_reaped_once_it_was_watched_for_long_enough(home: Home) -> None:
    writer = home.writer(away=True)
    writer.start("a")
    writer.kill()
    assert why_left(home.reap(older_than_s=0)) == [LeftAlone.UNDECIDED]
    home.clock.advance(89)
    assert why_left(home.reap()) == [LeftAlone.UNDECIDED]
    home.clock.advance(1)
    assert names(home.reap()) == ["a"]


def test_waiting_watches_for_as_long_as_a_lease_lives_and_no_longer(home: Home) -> None:
    writer = home.writer(away=True)
    writer.start("a")
    began = home.clock.monotonic_ns()
    assert names(home.reap(wait=True)) == ["a"]
    assert home.clock.monotonic_ns() - began == 90 * 10**9


def test_waiting_ends_when_nothing_is_undecided(home: Home) -> None:
    writer = home.writer()
    writer.start("a")
    began = home.clock.monotonic_ns()
    assert why_left(home.reap(wait=True)) == [LeftAlone.ALIVE]
    writer.kill()
    assert names(home.reap(wait=True)) == ["a"]
    assert home.clock.monotonic_ns() == began


class _Renewing(ManualClock):
    """While somebody waits, a writer of another machine goes on."""

    writer: Writer | None = None

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if self.writer is not None:
            self.writer.leases.renew(self.writer.log.writer)
            self.writer.say("a", ENDED)
            self.writer = None


def test_what_happens_while_waiting_counts() -> None:
    home = Home()
    home.clock = clock = _Renewing()
    clock.writer = writer = home.writer(away=True)
    writer.start("a")
    assert home.reaper(home.writer())(wait=True) == ReapReport()


def test_children_of_a_dead_writer_that_live_elsewhere_go_on(home: Home) -> None:
    dead, alive = home.writer(), home.writer()
    dead.start("sweep", stage=Stage.SWEEP)
    alive.start("trial", stage=Stage.TRIAL, parent="sweep")
    dead.kill()
    report = home.reap()
    assert names(report) == ["sweep"]
    assert why_left(report) == [LeftAlone.ALIVE]


def test_a_run_that_two_writers_began_goes_on_while_one_of_them_lives(home: Home) -> None:
    one, two = home.writer(), home.writer()
    one.start("a")
    two.start("a")
    one.kill()
    assert home.reap().reaped == ()
    two.kill()
    assert names(home.reap()) == ["a"]
    assert len(home.reaped()) == 1


def test_two_reapers_at_once_say_the_same(home: Home) -> None:
    """Both decide before either has appended: the store takes the second end as the one it has."""
    writer = home.writer()
    writer.start("a", stage=Stage.TRIAL)
    writer.kill()
    other = home.writer()
    second = home.reaper(other)
    append = home.me.log.append

    def append_after_the_other(*happenings: Happening) -> tuple[Envelope, ...]:
        home.me.log.append = append  # type: ignore[method-assign]
        assert names(second()) == ["a"]
        return append(*happenings)

    home.me.log.append = append_after_the_other  # type: ignore[method-assign]
    assert names(home.reap()) == ["a"]
    one, two = home.reaped()
    assert (one.event, one.run_key) == (two.event, two.run_key)
    home.deliver()
    assert home.ledger.open_runs() == ()


def test_runs_that_are_each_others_parents_end_too(home: Home) -> None:
    writer = home.writer()
    writer.start("a", parent="b")
    writer.start("b", parent="a")
    writer.start("c", parent="c")
    writer.kill()
    assert sorted(names(home.reap())) == ["a", "b", "c"]


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(list(Stage))), min_size=1, max_size=10))
def test_no_run_ends_before_those_below_it(tree: list[tuple[int, Stage]]) -> None:
    """Run `n` lies below run `tree[n][0]`, if that one came before it."""
    home = Home()
    writer = home.writer()
    for number, (above, stage) in enumerate(tree):
        writer.start(str(number), stage=stage, parent=str(above) if above < number else None)
    writer.kill()
    reaped = home.reap().reaped
    place = {run.run_key: index for index, run in enumerate(reaped)}
    assert len(place) == len(tree)
    assert all(run.parent is None or place[run.parent] > place[run.run_key] for run in reaped)


def test_nothing_to_do_appends_nothing(home: Home) -> None:
    assert home.reap() == ReapReport()
    assert list(home.me.log.read()) == []


def test_a_dry_run_says_what_would_be_ended_and_records_nothing(home: Home) -> None:
    writer = home.writer()
    writer.start("a")
    home.writer().start("b")
    writer.kill()
    report = home.reap(dry_run=True)
    assert names(report) == ["a"]
    assert why_left(report) == [LeftAlone.ALIVE]
    assert home.reaped() == []
    assert home.reap() == report
    assert len(home.reaped()) == 1
