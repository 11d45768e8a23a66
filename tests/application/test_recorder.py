"""The recorder: into the log first, then over the bus, as one."""

from __future__ import annotations

from pathlib import Path

import pytest

from studbook.application.bus import Bus
from studbook.application.recorder import Recorder
from studbook.domain.errors import JournalError
from studbook.domain.run_events import MetricsLogged, TagsSet

from .relay_world import World, run_key

METRIC = MetricsLogged(metrics={"loss": 1.0})


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def _told(bus: Bus) -> list[object]:
    told: list[object] = []
    bus.subscribe(told.append, name="test")
    return told


def test_events_of_one_call_have_one_time_and_follow_each_other(world: World) -> None:
    bus = Bus()
    told = _told(bus)
    recorder = Recorder(world.log, world.clock, bus)
    world.clock.advance(5)
    envelopes = recorder.record(run_key("a"), METRIC, TagsSet(tags={"a": "b"}))
    assert [envelope.sequence for envelope in world.log.read()] == [1, 2]
    assert {envelope.occurred_at_ns for envelope in envelopes} == {world.clock.now_ns()}
    assert {envelope.run_key for envelope in envelopes} == {run_key("a")}
    assert list(world.log.read()) == list(envelopes)
    assert bus.close()
    assert told == list(envelopes)


def test_events_of_several_runs_are_all_or_none(world: World) -> None:
    recorder = world.recorder()
    bad = TagsSet(tags={"a": "\ud800"})
    with pytest.raises(JournalError):
        recorder.record_together((run_key("a"), METRIC), (run_key("b"), bad))
    assert list(world.log.read()) == []
    recorder.record_together((run_key("a"), METRIC), (None, METRIC))
    assert [envelope.run_key for envelope in world.log.read()] == [run_key("a"), None]


def test_what_was_not_journaled_is_not_told(world: World) -> None:
    bus = Bus()
    told = _told(bus)
    world.log.close()
    with pytest.raises(JournalError):
        Recorder(world.log, world.clock, bus).record(run_key("a"), METRIC)
    assert bus.close()
    assert told == []


def test_progress_is_told_and_not_journaled(world: World) -> None:
    bus = Bus()
    told = _told(bus)
    Recorder(world.log, world.clock, bus).notify("half way")
    assert bus.close()
    assert told == ["half way"]
    assert list(world.log.read()) == []


def test_the_last_event_of_a_run_is_that_of_any_writer(world: World) -> None:
    other = world.new_log()
    world.say("a", METRIC)
    world.say("a", METRIC, log=other)
    late = world.clock.now_ns()
    world.say("b", METRIC)
    keys = {run_key("a"), run_key("c")}
    assert world.recorder().last_events_ns(keys) == {run_key("a"): late}
