"""Refused events that can never succeed are put away for good."""

from __future__ import annotations

from pathlib import Path

import pytest

from studbook.adapters.memory.delivery_ledger import MemoryDeliveryLedger
from studbook.application.dismiss import DismissRefusals
from studbook.domain.errors import RefusalNotFound
from studbook.domain.run import RunStatus
from studbook.domain.run_events import ParamsLogged, RefusalDismissed

from .relay_world import FINISHED, World, run_key, started


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A home in which four events of two runs were refused: second values of params."""
    world = World(tmp_path)
    for name in "ab":
        world.say(name, started(name), *(ParamsLogged(params={"lr": n}) for n in range(3)))
    world.relay().drain()
    assert [each.sequence for each in world.relay().refusals()] == [3, 4, 7, 8]
    return world


def dismiss(world: World, *names: str) -> list[int]:
    """What was dismissed."""
    return [each.sequence for each in DismissRefusals(world.log, world.ledger, world.clock)(names)]


def left(world: World) -> list[int]:
    world.relay().drain()
    return [each.sequence for each in world.ledger.refusals()]


@pytest.mark.parametrize(
    ("names", "gone"),
    [
        (("{writer}/3",), [3]),
        (("{writer}/3", "{writer}/8", "{writer}/3"), [3, 8]),
        ((str(run_key("a")),), [3, 4]),
        ((str(run_key("b"))[:16],), [7, 8]),
        ((str(run_key("b"))[4:16], "{writer}/3"), [3, 7, 8]),
        (("all",), [3, 4, 7, 8]),
        ((), []),
    ],
    ids=str,
)
def test_events_are_named_as_they_are_listed(world: World, names: tuple[str, ...], gone: list[int]) -> None:
    dismissed = dismiss(world, *(name.format(writer=world.log.writer) for name in names))
    assert sorted(dismissed) == gone
    assert left(world) == [each for each in (3, 4, 7, 8) if each not in gone]
    assert [each.sequence for each in world.ledger.dismissed()] == gone


@pytest.mark.parametrize("name", ["", "{writer}/1", "{writer}", "nobody/3", str(run_key("a"))[:10]])
def test_what_no_refused_event_is_called_dismisses_none(world: World, name: str) -> None:
    with pytest.raises(RefusalNotFound) as raised:
        dismiss(world, f"{world.log.writer}/3", name.format(writer=world.log.writer))
    assert raised.value.exit_code == 3
    assert left(world) == [3, 4, 7, 8]
    assert not any(isinstance(event, RefusalDismissed) for event in world.events())


def test_all_of_none_is_no_mistake(world: World) -> None:
    dismiss(world, "all")
    assert left(world) == []
    assert dismiss(world, "all") == []


def test_a_ledger_that_is_lost_learns_it_again_from_the_journal(world: World) -> None:
    dismiss(world, "all")
    world.relay().drain()
    known = world.ledger.dismissed()
    world.ledger = MemoryDeliveryLedger()
    assert left(world) == []
    assert world.ledger.dismissed() == known
    assert [each.run_key for each in known] == [run_key("a")] * 2 + [run_key("b")] * 2


def test_what_is_dismissed_is_not_sent_again(world: World) -> None:
    dismiss(world, "all")
    world.relay().drain()
    assert world.relay().resend_held(1.0).delivered == 0
    assert world.run("a").params == {"lr": "0"}


def test_a_run_that_lacks_a_required_file_does_not_finish_for_all_that(tmp_path: Path) -> None:
    world = World(tmp_path)
    (tmp_path / "model.bin").write_bytes(b"weights")
    run = world.open_run()("mine")
    logged = world.builder.build(
        tmp_path / "model.bin",
        name="model.bin",
        kind="any",  # type: ignore[arg-type]  # a StrEnum's text
        run_key=run.key,
        stage=run.stage,
        required=True,
    )
    world.pins.release(logged.pin)
    run.record(logged)
    world.relay().drain()
    dismiss(world, "all")
    world.relay().drain()
    assert world.ledger.refusals() == ()
    world.recorder().record(run.key, FINISHED)
    world.relay().drain()
    assert world.run("mine").status is RunStatus.FAILED
