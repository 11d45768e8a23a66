"""Runs that stand open in the store, begun by homes that are not here: ended when somebody says how old is dead."""

from __future__ import annotations

from pathlib import Path

import pytest

from studbook.adapters.memory.delivery_ledger import MemoryDeliveryLedger
from studbook.adapters.memory.event_log import MemoryJournal
from studbook.application.project import Project
from studbook.application.reap import LeftAlone, LeftRun, ReapReport
from studbook.application.reap_stored import ReapStored
from studbook.domain.run import RunStatus
from studbook.domain.run_events import Adoption, MetricsLogged, ParamsLogged, RunHeartbeat
from studbook.domain.stage import Stage
from studbook.domain.vocabulary import DEFAULT_VOCABULARY
from studbook.ports.capabilities import Capabilities
from studbook.ports.contract.tracking_examples import new_run
from studbook.ports.delivery_ledger import StartedRun

from .relay_world import FINISHED, World, started

DAY_S = 86_400.0
NOTHING = ReapReport()
METRIC = MetricsLogged(metrics={"loss": 0.5})


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A home that came later: what the one before it delivered is in the store, and nowhere else."""
    return World(tmp_path)


def another_home(world: World) -> None:
    """Deliver, and lose the journal and the ledger."""
    world.relay().drain()
    world.journal = MemoryJournal()
    world.ledger = MemoryDeliveryLedger()
    world.log = world.new_log()


def reap(world: World, project: Project | None = None) -> ReapStored:
    return ReapStored(
        world.log,
        world.ledger,
        lambda: world.store,
        world.clock,
        project or world.project,
    )


def names(world: World, runs: tuple[StartedRun, ...]) -> list[str]:
    keys = {run.tags.get("studbook.run_key"): run.name for run in world.runs()}
    return [keys[run.run_key] for run in runs]


def test_a_run_that_was_not_heard_of_ends_killed_at_its_last_metric(world: World) -> None:
    world.say("mine", started("mine"))
    world.clock.advance(100)
    world.say("mine", METRIC)
    last_ms = world.clock.now_ns() // 10**6
    another_home(world)
    world.clock.advance(2 * DAY_S)
    assert names(world, reap(world)(DAY_S, judged=NOTHING)) == ["mine"]
    world.relay().drain()
    run = world.run("mine")
    assert (run.status, run.ended_at_ms) == (RunStatus.KILLED, last_ms)
    assert run.tags["studbook.end_reason"] == "lost"


def test_a_run_whose_params_are_too_many_or_too_long_ends_like_others(tmp_path: Path) -> None:
    world = World(tmp_path, Capabilities(params_per_run=1, tag_value_length=100))
    world.say("mine", started("mine"), ParamsLogged(params={"a": 1, "b": "long" * 50}))
    another_home(world)
    assert DEFAULT_VOCABULARY.find("run.more_params", world.run("mine").tags)
    world.clock.advance(2 * DAY_S)
    assert names(world, reap(world)(DAY_S, judged=NOTHING)) == ["mine"]


def test_children_end_before_their_parents(world: World) -> None:
    world.say("sweep", started("sweep").model_copy(update={"stage": Stage.SWEEP}))
    world.say("trial", started("trial", "sweep").model_copy(update={"stage": Stage.TRIAL}))
    another_home(world)
    world.clock.advance(2 * DAY_S)
    assert names(world, reap(world)(DAY_S, judged=NOTHING)) == ["trial", "sweep"]
    world.relay().drain()
    assert world.run("trial").tags[DEFAULT_VOCABULARY.key("trial.state")] == "FAILED"


@pytest.mark.parametrize("sign", [METRIC, RunHeartbeat()])
def test_a_run_that_was_heard_of_lately_goes_on(world: World, sign: MetricsLogged | RunHeartbeat) -> None:
    world.say("mine", started("mine"))
    world.clock.advance(2 * DAY_S)
    world.say("mine", sign)
    another_home(world)
    world.clock.advance(DAY_S / 2)
    assert reap(world)(DAY_S, judged=NOTHING) == ()
    assert names(world, reap(world)(DAY_S / 4, judged=NOTHING)) == ["mine"]


def test_what_is_not_ours_to_end_goes_on(world: World) -> None:
    foreign, job = (world.store.create_run(new_run("elsewhere")) for _ in range(2))
    for run_id in (foreign, job):
        world.store._runs[run_id].tags.clear()
    adopt = Adoption(run_id=job, ended_by_service=True)
    world.say("job", started("job").model_copy(update={"adopt": adopt}))
    world.say("ended", started("ended"), FINISHED)
    world.say("mine", started("mine"))
    another_home(world)
    world.clock.advance(2 * DAY_S)
    assert reap(world, Project(name="other", version="1"))(DAY_S, judged=NOTHING) == ()
    assert names(world, reap(world)(DAY_S, judged=NOTHING)) == ["mine"]
    assert world.store.get_run(foreign).status is world.store.get_run(job).status is RunStatus.RUNNING


def test_what_this_home_has_a_journal_of_is_not_looked_at(world: World) -> None:
    world.say("delivered", started("delivered"))
    world.relay().drain()
    world.clock.advance(2 * DAY_S)
    assert reap(world)(DAY_S, judged=NOTHING) == ()
    # The ledger is lost, and the journal knows better.
    world.ledger = MemoryDeliveryLedger()
    (found,) = reap(world)(DAY_S, judged=NOTHING, dry_run=True)
    judged = ReapReport(left=(LeftRun(found, LeftAlone.ALIVE),))
    assert reap(world)(DAY_S, judged=judged) == ()


def test_a_dry_run_leaves_everything_as_it_is(world: World) -> None:
    world.say("mine", started("mine"))
    another_home(world)
    world.clock.advance(2 * DAY_S)
    assert names(world, reap(world)(DAY_S, judged=NOTHING, dry_run=True)) == ["mine"]
    assert world.events() == []
    assert world.ledger.open_runs() == ()


def test_reaping_twice_is_reaping_once(world: World) -> None:
    world.say("mine", started("mine"))
    another_home(world)
    world.clock.advance(2 * DAY_S)
    reap(world)(DAY_S, judged=NOTHING)
    world.relay().drain()
    before = world.state()
    assert reap(world)(DAY_S, judged=NOTHING) == ()
    world.relay().drain()
    assert world.state() == before
    assert world.ledger.refusals() == ()
