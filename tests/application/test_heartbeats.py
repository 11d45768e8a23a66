"""Signs of life reach the store now and then, and not each of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from studbook.domain.run_events import RunHeartbeat

from .relay_world import FINISHED, World, started

BEAT = RunHeartbeat()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def last_seen(world: World) -> str:
    return world.run("mine").tags["studbook.last_seen"]


def test_one_heartbeat_in_five_minutes_is_told(world: World) -> None:
    relay = world.relay()
    world.say("mine", started("mine"), BEAT)
    relay.drain()
    first = last_seen(world)
    told = set()
    for _ in range(12):
        world.clock.advance(59)
        world.say("mine", BEAT)
        relay.drain()
        told.add(last_seen(world))
    assert relay.pending() == 0
    assert len(told) == 3
    assert min(told) == first


def test_another_relay_tells_at_once(world: World) -> None:
    world.say("mine", started("mine"), BEAT)
    world.relay().drain()
    first = last_seen(world)
    world.say("mine", BEAT)
    world.relay().drain()
    assert last_seen(world) > first


def test_each_run_has_its_own(world: World) -> None:
    relay = world.relay()
    world.say("other", started("other"), BEAT, FINISHED)
    relay.drain()
    world.say("mine", started("mine"), BEAT)
    relay.drain()
    assert last_seen(world)
