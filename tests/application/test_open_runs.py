"""Which runs are open, however their events are cut into chunks and spread over writers."""

from __future__ import annotations

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.memory.delivery_ledger import MemoryDeliveryLedger
from studbook.adapters.memory.event_log import MemoryEventLog, MemoryJournal
from studbook.adapters.memory.ids import CountingIds
from studbook.application.open_runs import open_runs, run_changes
from studbook.domain.events import Event
from studbook.domain.keys import RunKey
from studbook.domain.run import Ending
from studbook.domain.run_events import (
    ArtifactAcquired,
    DeliveryRefused,
    MetricsLogged,
    RunEnded,
    RunHeartbeat,
    RunReaped,
    RunStarted,
)
from studbook.domain.stage import Stage
from studbook.ports.delivery_ledger import DeliveryLedger, RunChanges, StartedRun
from studbook.ports.event_log import Happening

KEYS = [RunKey("rk3:" + digit * 64) for digit in "123"]
ENDED = RunEnded(ending=Ending.finished())
METRIC = MetricsLogged(metrics={"loss": 0.5})


def started(parent: RunKey | None = None, stage: Stage = Stage.TRIAL) -> RunStarted:
    return RunStarted(
        project="p", stage=stage, subject={}, attempt=1, name="n", experiment="e", parent=parent, version="1"
    )


class Home:
    """Writers of one home, and a ledger of what is delivered."""

    def __init__(self, writers: int = 1) -> None:
        self.clock = ManualClock(0)
        ids, journal = CountingIds(), MemoryJournal()
        self.logs = [MemoryEventLog(self.clock, ids, journal=journal) for _ in range(writers)]
        self.ledger: DeliveryLedger = MemoryDeliveryLedger()

    def say(self, key: RunKey | None, *events: Event, log: int = 0) -> int:
        """Append a nanosecond-ish later than before; returns when."""
        self.clock.advance(1e-9)
        now = self.clock.now_ns()
        self.logs[log].append(*(Happening(event, key, now) for event in events))
        return now

    def deliver(self, size: int, chunks: int | None = None, *, refused: bool = False) -> None:
        """Do as the relay does: chunk by chunk, in log order."""
        events = self.logs[0].read(self.ledger.cursor())
        while (chunks is None or chunks > 0) and (chunk := list(islice(events, size))):
            cursor = {envelope.writer: envelope.sequence for envelope in chunk}
            self.ledger.advance(cursor, run_changes(chunk, refused=refused))
            chunks = None if chunks is None else chunks - 1

    def open(self) -> tuple[StartedRun, ...]:
        return open_runs(self.logs[0], self.ledger)


def test_a_run_is_open_from_its_beginning_to_its_end() -> None:
    home = Home()
    at_ns = home.say(KEYS[0], started(KEYS[1], Stage.FOLD))
    assert home.open() == (StartedRun(KEYS[0], home.logs[0].writer, "p", Stage.FOLD, KEYS[1], at_ns),)
    home.say(KEYS[0], ENDED)
    assert home.open() == ()


def test_a_reaped_run_is_not_open_whoever_reaped_it_and_in_whatever_order_writers_are_read() -> None:
    home = Home(writers=2)
    home.say(KEYS[0], started(), log=1)
    home.say(KEYS[0], RunReaped(reason="lost", last_event_ns=1), log=0)
    assert home.open() == ()


def test_the_last_event_counts_whoever_wrote_it() -> None:
    home = Home(writers=2)
    home.say(KEYS[0], started(), METRIC)
    last = home.say(KEYS[0], RunHeartbeat(), log=1)
    home.deliver(10)
    assert [run.seen_ns for run in home.open()] == [last]
    later = home.say(KEYS[0], METRIC, log=1)
    assert [run.seen_ns for run in home.open()] == [later]


def test_what_others_say_about_a_run_is_no_event_of_the_run() -> None:
    home = Home()
    at_ns = home.say(KEYS[0], started())
    home.say(KEYS[0], DeliveryRefused(writer="w", sequence=1, reason="no"))
    home.say(KEYS[0], ArtifactAcquired(subject="s", receipt=None))
    home.say(None, ArtifactAcquired(subject="s", receipt=None))
    home.deliver(1)
    assert [run.seen_ns for run in home.open()] == [at_ns]


def test_a_run_whose_beginning_was_refused_is_never_open() -> None:
    home = Home()
    home.say(KEYS[0], started(), METRIC)
    home.deliver(1, refused=True)
    assert home.open() == ()


def test_an_end_that_was_refused_is_an_end() -> None:
    home = Home()
    home.say(KEYS[0], started())
    home.deliver(1)
    home.say(KEYS[0], ENDED)
    home.deliver(1, refused=True)
    assert home.open() == ()


def test_nothing_said_changes_nothing() -> None:
    assert run_changes([]) == RunChanges()


steps = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from(["log", "end", "deliver"])), max_size=30
)


@given(steps, st.integers(1, 4))
def test_the_ledger_and_the_rest_of_the_log_tell_the_same_as_the_whole_log(
    history: list[tuple[int, int, str]], size: int
) -> None:
    """Each run is begun once, by writer 0, 1 or 2; others log to it and end it."""
    home = Home(writers=3)
    began: dict[RunKey, int] = {}
    last: dict[RunKey, int] = {}
    ended: set[RunKey] = set()
    for number, writer, what in history:
        key = KEYS[number]
        if what == "deliver":
            home.deliver(size, number)
        elif key not in began:
            began[key], last[key] = writer, home.say(key, started(), log=writer)
            # The relay delivers nothing of a run before its beginning.
            home.deliver(1)
        elif what == "log" and key not in ended:
            last[key] = home.say(key, METRIC, log=writer)
        elif what == "end":
            home.say(key, RunReaped(reason="lost", last_event_ns=1) if writer else ENDED, log=writer)
            ended.add(key)
    wanted = {key: (home.logs[began[key]].writer, last[key]) for key in began if key not in ended}
    assert {run.run_key: (run.writer, run.seen_ns) for run in home.open()} == wanted
    home.deliver(size)
    assert {run.run_key: (run.writer, run.seen_ns) for run in home.open()} == wanted
    assert home.ledger.open_runs() == home.open()
