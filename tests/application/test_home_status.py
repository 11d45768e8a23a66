"""How a home is doing, over a survey that a test writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.memory.delivery_ledger import MemoryDeliveryLedger
from studbook.adapters.memory.leases import MemoryLeaseFolder, MemoryLeases, MemoryProcesses
from studbook.application.home_status import HomeStatus, ReadStatus
from studbook.application.writer_watch import Doubt, WriterWatch
from studbook.domain.keys import RunKey
from studbook.domain.liveness import Liveness, PidSpace
from studbook.domain.stage import Stage
from studbook.ports.delivery_ledger import Refusal, RunChanges, StartedRun
from studbook.ports.event_log import Cursor
from studbook.ports.journal_survey import DamagedPlace, JournalView, Unread

RUN = RunKey.of({"name": "run"})
DAMAGE = DamagedPlace("w1", "w1-001.jsonl", 10, 5, "a checksum does not hold", "compare", holds=False)


@dataclass
class Survey:
    """By target and writer, the times of events; sequences count from 1."""

    events: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    damage: tuple[DamagedPlace, ...] = ()
    torn: int = 0
    asked: Cursor = field(default_factory=dict)

    def targets(self) -> Mapping[str, frozenset[str]]:
        return {target: frozenset(writers) for target, writers in self.events.items()}

    def look(self, after: Cursor) -> JournalView:
        self.asked = after
        unread = {}
        for writers in self.events.values():
            for writer, times in writers.items():
                left = times[after.get(writer, 0) :]
                if left:
                    unread[writer] = Unread(len(left), min(left))
        return JournalView(unread=unread, damage=self.damage, torn=self.torn)


class Home:
    def __init__(self) -> None:
        self.survey = Survey()
        self.ledgers: dict[str, MemoryDeliveryLedger] = {"here": MemoryDeliveryLedger()}
        self.folder = MemoryLeaseFolder()
        self.processes = MemoryProcesses()

    def status(self) -> HomeStatus:
        leases = MemoryLeases(self.folder, self.processes)
        watch = WriterWatch(leases, ManualClock())
        return ReadStatus(self.survey, self.ledgers.get, leases, watch, "here")()

    def lost_run(self, writer: str) -> None:
        """A delivered run that is open, and whose writer dies."""
        MemoryLeases(self.folder, self.processes, pid=7).hold(writer)
        run = StartedRun(RUN, writer, "p", Stage.TRIAL, None, 1)
        self.ledgers["here"].advance({writer: 1}, RunChanges(started=(run,)))
        self.processes.kill(7)


@pytest.fixture
def home() -> Home:
    return Home()


def test_a_home_without_anything_is_well(home: Home) -> None:
    home.ledgers.clear()
    status = home.status()
    assert (status.configured.target, status.others, status.writers) == ("here", (), ())
    assert not status.needs_attention


def test_what_waits_is_counted_by_target(home: Home) -> None:
    home.survey.events = {"there": {"w3": [5, 4]}, "here": {"w1": [10, 20, 30], "w2": [15]}}
    home.ledgers["here"].advance({"w1": 1})
    status = home.status()
    here, there = status.targets
    assert (here.target, here.configured, here.pending, here.oldest_ns) == ("here", True, 3, 15)
    assert (there.target, there.configured, there.pending, there.oldest_ns) == ("there", False, 2, 4)
    assert here.waits
    assert there.waits
    assert status.needs_attention


def test_the_cursor_of_another_target_does_not_count(home: Home) -> None:
    """What was taken to a target that it was not recorded for still waits for its own."""
    home.survey.events = {"there": {"w1": [1, 2]}}
    home.ledgers["here"].advance({"w1": 2})
    home.ledgers["there"] = MemoryDeliveryLedger()
    home.ledgers["there"].advance({"w1": 1})
    assert home.status().others[0].pending == 1
    assert home.survey.asked == {"w1": 1}
    here, there = home.status().targets
    assert (here.taken_over, there.taken_over) == (True, False)


def test_a_relay_at_work_needs_no_help_unless_it_has_a_problem(home: Home) -> None:
    home.survey.events = {"here": {"w1": [1]}}
    with home.ledgers["here"].lease(0):
        status = home.status()
        assert status.configured.relay_at_work
        assert not status.needs_attention
        home.ledgers["here"].report("the server is away")
        assert home.status().needs_attention
        assert home.status().configured.problem == "the server is away"
    assert not home.status().configured.relay_at_work


def test_an_old_problem_is_not_shown_when_nothing_waits(home: Home) -> None:
    home.ledgers["here"].report("the server was away")
    assert home.status().configured.problem is None
    assert not home.status().needs_attention


def test_refused_events_need_attention(home: Home) -> None:
    refusal = Refusal("w1", 3, RUN, "no")
    home.ledgers["here"].refuse(refusal)
    assert home.status().configured.refusals == (refusal,)
    assert home.status().needs_attention


def test_dismissed_events_are_counted_and_need_nobody(home: Home) -> None:
    refusal = Refusal("w", 1, RUN, "no")
    home.ledgers["here"].refuse(refusal)
    home.ledgers["here"].dismiss((refusal,))
    found = home.status()
    assert (found.configured.refusals, found.configured.dismissed) == ((), 1)
    assert not found.needs_attention


def test_open_runs_of_the_dead_need_attention_unless_a_relay_ends_them(home: Home) -> None:
    home.lost_run("w1")
    assert [run.run_key for run in home.status().configured.lost] == [RUN]
    assert home.status().needs_attention
    with home.ledgers["here"].lease(0):
        assert not home.status().needs_attention


def test_damage_needs_attention_and_a_torn_end_does_not(home: Home) -> None:
    home.survey.torn = 1
    assert not home.status().needs_attention
    home.survey.damage = (DAMAGE,)
    assert home.status().needs_attention


def test_writers_are_told_with_where_they_are(home: Home) -> None:
    MemoryLeases(home.folder, home.processes, pid=7).hold("alive")
    MemoryLeases(home.folder, home.processes, pid=8).hold("dead")
    away = MemoryProcesses(PidSpace(host="away", boot_id="b", pid_namespace="p"))
    MemoryLeases(home.folder, away, pid=9).hold("far")
    home.processes.kill(8)
    told = [(each.writer, each.liveness, each.doubt, each.host, each.pid) for each in home.status().writers]
    assert told == [
        ("alive", Liveness.ALIVE, None, "host-1", 7),
        ("dead", Liveness.DEAD, None, "host-1", 8),
        ("far", Liveness.UNKNOWN, Doubt.UNDECIDED, "away", 9),
    ]
