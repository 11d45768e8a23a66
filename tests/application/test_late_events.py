"""A writer that wakes up after its run was reaped: its data is delivered, its end is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from studbook.adapters.memory.event_log import MemoryEventLog
from studbook.application.late_events import late_runs
from studbook.application.open_runs import run_changes
from studbook.domain.events import Envelope, Event
from studbook.domain.keys import ProtocolKey, RunKey, TrialKey
from studbook.domain.run import Ending, EndReason, RunStatus
from studbook.domain.run_events import MetricsLogged, RunEnded, RunHeartbeat, RunReaped, TagsSet
from studbook.domain.search_events import RefitLinked
from studbook.domain.stage import Stage

from .relay_world import FINISHED, World, run_key, started

LATE = "studbook.late_events"
FIRST, SECOND = (MetricsLogged(metrics={"loss": 0.5}, step=step) for step in (1, 2))
LINKED = RefitLinked(
    trial_run=run_key("trial"),
    trial_key=TrialKey.of({}),
    protocol=ProtocolKey.of({}),
    content_digest="sha256:" + "0" * 64,
)
INTERRUPTED = RunEnded(ending=Ending.killed(EndReason.INTERRUPTED))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def reaper(world: World) -> MemoryEventLog:
    """Another process of the home, which takes the first one for dead."""
    return world.new_log()


def reap(world: World, reaper: MemoryEventLog) -> None:
    event = RunReaped(reason="lost", last_event_ns=world.clock.now_ns(), stage=Stage.FINAL_TRAINING)
    world.say("mine", event, log=reaper)


@pytest.mark.parametrize("end", [FINISHED, INTERRUPTED], ids=["finished", "killed too"])
@pytest.mark.parametrize("between", [True, False], ids=["reaped in the store", "all at once"])
def test_data_is_delivered_and_noted_and_the_end_refused(
    world: World, reaper: MemoryEventLog, end: RunEnded, *, between: bool
) -> None:
    world.say("mine", started("mine"), FIRST)
    reap(world, reaper)
    if between:
        world.relay().drain()
        assert LATE not in world.run("mine").tags
    world.say("mine", SECOND, TagsSet(tags={"note": "awake"}))
    world.say("mine", end)
    world.relay().drain()
    run = world.run("mine")
    assert (run.status, run.tags["studbook.end_reason"]) == (RunStatus.KILLED, "lost")
    assert [point.step for point in world.store.metric_history(run.run_id, "loss")] == [1, 2]
    assert (run.tags["note"], run.tags[LATE]) == ("awake", "true")
    (refusal,) = world.relay().refusals()
    assert refusal.reason.startswith("TERMINAL: ")


def test_it_is_noted_by_whichever_relay_delivers_it(world: World, reaper: MemoryEventLog) -> None:
    world.say("mine", started("mine"), FIRST)
    reap(world, reaper)
    world.relay().drain()
    relay = world.relay()
    relay.drain()
    world.say("mine", SECOND)
    relay.drain()
    assert world.run("mine").tags[LATE] == "true"


def test_a_run_that_ended_by_itself_has_none(world: World) -> None:
    world.say("mine", started("mine"), FIRST, FINISHED)
    world.relay().drain()
    world.say("mine", TagsSet(tags={"note": "of another writer"}), log=world.new_log())
    world.relay().drain()
    assert world.run("mine").tags["note"] == "of another writer"
    assert LATE not in world.run("mine").tags


def test_a_run_that_is_gone_stops_nothing(world: World, reaper: MemoryEventLog) -> None:
    world.say("mine", started("mine"), FIRST)
    reap(world, reaper)
    world.relay().drain()
    world.store._runs.clear()
    world.say("mine", LINKED)
    world.relay().drain()
    assert world.relay().pending() == 0


def test_a_reaped_run_without_more_data_has_none(world: World, reaper: MemoryEventLog) -> None:
    world.say("mine", started("mine"), FIRST)
    reap(world, reaper)
    world.relay().drain()
    world.say("mine", INTERRUPTED)
    world.relay().drain()
    assert LATE not in world.run("mine").tags


def envelopes(*events: Event) -> list[Envelope]:
    return [
        Envelope(writer="w", sequence=n, occurred_at_ns=n, run_key=run_key("mine"), event=event)
        for n, event in enumerate(events, 1)
    ]


def found_late(recorded: list[Envelope], open_runs: dict[RunKey, int]) -> frozenset[RunKey]:
    return late_runs(recorded, run_changes(recorded), open_runs)


REAPED = RunReaped(reason="lost", last_event_ns=1)


@pytest.mark.parametrize(
    ("events", "late"),
    [
        ((FIRST,), True),
        ((RunHeartbeat(),), True),
        ((started("mine"), FIRST), False),
        ((REAPED, FIRST), True),
        ((FIRST, started("mine")), False),
        ((started("mine"), FIRST, REAPED), False),
        ((started("mine"), REAPED, FIRST), True),
        ((FINISHED,), False),
        ((), False),
    ],
    ids=lambda value: "+".join(event.kind for event in value) if isinstance(value, tuple) else str(value),
)
def test_what_is_late_is_seen_from_the_events(events: tuple[Event, ...], *, late: bool) -> None:
    assert found_late(envelopes(*events), {}) == ({run_key("mine")} if late else set())


@pytest.mark.parametrize(
    ("event", "seen_ns", "late"),
    [(FIRST, 0, False), (REAPED, 0, False), (REAPED, 1, False), (REAPED, 2, True)],
)
def test_an_open_run_is_late_when_it_was_reaped_before_its_last_event(
    event: Event, seen_ns: int, *, late: bool
) -> None:
    found = found_late(envelopes(event), {run_key("mine"): seen_ns})
    assert found == ({run_key("mine")} if late else set())
