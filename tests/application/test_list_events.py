"""Reading the journal as it is."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.application.list_events import EventFilter, ListEvents
from studbook.domain.events import Envelope
from studbook.domain.run_events import MetricsLogged, TagsSet
from studbook.ports.event_log import Happening

from .relay_world import FINISHED, World, run_key, started

ANY = EventFilter()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def _listing(world: World) -> ListEvents:
    return ListEvents(world.log, world.clock)


def _said(found: list[Envelope]) -> list[tuple[str, int]]:
    return [(each.writer, each.sequence) for each in found]


def test_events_come_by_time_whoever_wrote_them(world: World) -> None:
    other = world.new_log()
    world.say("a", started("a"))
    world.say("b", started("b"), log=other)
    world.say("a", FINISHED)
    world.say("b", FINISHED, log=other)
    mine, theirs = world.log.writer, other.writer
    assert _said(_listing(world)(ANY)) == [(mine, 1), (theirs, 1), (mine, 2), (theirs, 2)]


def test_they_are_narrowed_by_run_kind_writer_and_time(world: World) -> None:
    other = world.new_log()
    world.say("a", started("a"), MetricsLogged(metrics={"loss": 1.0}))
    since = world.clock.now_ns() + 1
    world.say("b", started("b"), log=other)
    world.say("a", FINISHED)
    world.recorder().record(None, TagsSet(tags={}))
    listing, key = _listing(world), run_key("a")

    def kinds(wanted: EventFilter) -> list[str]:
        return [each.event.kind for each in listing(wanted)]

    of_a = ["RunStarted", "MetricsLogged", "RunEnded"]
    assert kinds(EventFilter(run=key)) == of_a
    assert kinds(EventFilter(run=key[:12])) == of_a
    assert kinds(EventFilter(run=key.partition(":")[2][:8])) == of_a
    assert kinds(EventFilter(run="f" * 64)) == []
    assert kinds(EventFilter(kinds=frozenset({"RunEnded", "MetricsLogged"}))) == ["MetricsLogged", "RunEnded"]
    assert kinds(EventFilter(writer=other.writer)) == ["RunStarted"]
    assert kinds(EventFilter(since_ns=since)) == ["RunStarted", "RunEnded", "TagsSet"]
    assert kinds(EventFilter(run=key, kinds=frozenset({"RunEnded"}), since_ns=since)) == ["RunEnded"]


def test_what_comes_is_followed_once_each(world: World) -> None:
    world.say("a", started("a"))
    coming = _listing(world).follow(EventFilter(run=run_key("a")))
    assert [each.sequence for each in islice(coming, 1)] == [1]
    world.say("b", started("b"))
    world.say("a", FINISHED)
    world.say("a", TagsSet(tags={"late": "1"}), log=world.new_log())
    assert [each.event.kind for each in islice(coming, 2)] == ["RunEnded", "TagsSet"]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 50)), max_size=20), st.integers(0, 20))
def test_following_shows_what_listing_shows(said: list[tuple[int, int]], until: int) -> None:
    """Each event once, though some come after the first look."""
    world = World(Path("unused"))
    logs = [world.log, world.new_log(), world.new_log()]

    def append(some: list[tuple[int, int]]) -> None:
        for log, at_ns in some:
            logs[log].append(Happening(TagsSet(tags={}), run_key("a"), at_ns))

    append(said[:until])
    listing = _listing(world)
    following = listing.follow(ANY)
    first = list(islice(following, len(said[:until])))
    assert first == listing(ANY)
    append(said[until:])
    found = first + list(islice(following, len(said[until:])))
    assert sorted(_said(found)) == sorted(_said(listing(ANY)))
