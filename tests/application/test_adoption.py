"""Taking over a run that a job, or another tool, has opened already."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from studbook.application.delivery import InlineDelivery
from studbook.application.relay import Delivery
from studbook.application.run_catalog import RunCatalog
from studbook.application.run_opening import RunOpening
from studbook.domain.events import Event
from studbook.domain.run import Ending, EndReason, RunStatus
from studbook.domain.run_events import Adoption, MetricsLogged, RunEnded, RunStarted
from studbook.domain.run_identity import ad_hoc
from studbook.domain.stage import Stage
from studbook.domain.stored_run import StoredRun
from studbook.ports.capabilities import Capabilities
from studbook.ports.contract.tracking_examples import new_run
from studbook.ports.delivery_ledger import DeliveryLedger

from .relay_world import EXPERIMENT, FINISHED, Cut, World, started

METRIC = MetricsLogged(metrics={"loss": 0.5})
FAILED = RunEnded(ending=Ending.failed(EndReason.ERROR, "ValueError: no"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def job_run(world: World) -> str:
    """A run that stands open in the backend, and is nobody's."""
    run_id: str = world.store.create_run(new_run("jobs"))
    world.store._runs[run_id].tags.clear()
    return run_id


def adopting(name: str, run_id: str, *, by_service: bool = False) -> RunStarted:
    adopt = Adoption(run_id=run_id, ended_by_service=by_service)
    return started(name).model_copy(update={"adopt": adopt})


def delivered(world: World, run_id: str, *events: Event) -> StoredRun:
    world.say("mine", *events)
    world.relay().drain()
    run: StoredRun = world.store.get_run(run_id)
    return run


def test_a_running_run_is_taken_over_and_keeps_its_name_and_place(world: World) -> None:
    run_id = job_run(world)
    run = delivered(world, run_id, adopting("mine", run_id), METRIC, FINISHED)
    assert (run.name, run.experiment, run.status) == ("a run", "jobs", RunStatus.FINISHED)
    assert run.metrics == {"loss": 0.5}
    assert run.tags["studbook.adopted"] == "true"
    assert run.tags["studbook.stage"] == "final_training"
    assert "studbook.ended_by" not in run.tags
    assert len(world.runs()) == 1


def test_an_ended_run_is_left_as_it_is(world: World) -> None:
    run_id = job_run(world)
    world.store.end_run(run_id, RunStatus.FINISHED, 1)
    left = world.store.get_run(run_id)
    assert delivered(world, run_id, adopting("mine", run_id), METRIC) == left
    assert world.run("mine").experiment == EXPERIMENT
    assert "studbook.adopted" not in world.run("mine").tags


def test_a_run_of_another_key_is_left_as_it_is(world: World) -> None:
    world.say("other", started("other"))
    world.relay().drain()
    other = world.run("other")
    assert delivered(world, other.run_id, adopting("mine", other.run_id), METRIC) == other
    assert world.run("mine").metrics == {"loss": 0.5}


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, 8))
def test_it_is_adopted_once_wherever_the_relay_dies(world: World, at: int, *, after: bool) -> None:
    class Died(Exception):
        """The relay is gone."""

    run_id = job_run(world)
    world.say("mine", adopting("mine", run_id), METRIC, FINISHED)
    cut = Cut(at, Died, after=after)
    try:
        world.relay(cut=cut).drain()
    except Died:
        world.relay().drain()
    (run,) = world.runs()
    assert (run.run_id, run.status, run.tags["studbook.adopted"]) == (run_id, RunStatus.FINISHED, "true")


def test_delivering_everything_again_changes_nothing(world: World, tmp_path: Path) -> None:
    run_id = job_run(world)
    before = delivered(world, run_id, adopting("mine", run_id), METRIC, FINISHED)
    world.ledger = ledger_of_a_new_home()
    assert world.relay().drain() == Delivery(3, 0)
    assert world.runs() == [before]


def ledger_of_a_new_home() -> DeliveryLedger:
    from studbook.adapters.memory.delivery_ledger import MemoryDeliveryLedger

    return MemoryDeliveryLedger()


def test_a_run_with_an_identity_of_its_own_is_not_taken_for_another_homes(world: World) -> None:
    """Whether a run is another home's is seen by its beginning, which an adopted one has from elsewhere."""
    run_id = job_run(world)
    run = delivered(world, run_id, adopting("mine", run_id))
    assert run.tags["studbook.attempt"] == "1"
    assert world.runs() == [run]


def test_of_two_homes_that_ask_for_one_run_the_second_gets_a_new_one(world: World, tmp_path: Path) -> None:
    run_id = job_run(world)
    delivered(world, run_id, adopting("mine", run_id), FINISHED)
    second = World(tmp_path / "second")
    second.store = world.store
    second.new_log()
    log = second.new_log()
    second.say("mine", adopting("mine", run_id), log=log)
    second.relay().drain()
    assert {run.tags["studbook.attempt"] for run in world.runs()} == {"1", "2"}
    assert world.store.get_run(run_id).status is RunStatus.FINISHED


class TestEndedByAService:
    """The backend is a service, and the run is that of its job."""

    @pytest.fixture
    def world(self, tmp_path: Path) -> World:
        return World(tmp_path, Capabilities(ends_job_runs=True))

    @pytest.mark.parametrize("end", [FINISHED, FAILED], ids=["finished", "failed"])
    def test_its_end_is_left_to_the_service_and_told_by_tags(self, world: World, end: RunEnded) -> None:
        run_id = job_run(world)
        run = delivered(world, run_id, adopting("mine", run_id, by_service=True), METRIC, end)
        assert (run.status, run.ended_at_ms) == (RunStatus.RUNNING, None)
        assert run.metrics == {"loss": 0.5}
        assert run.tags["studbook.ended_by"] == "service"
        assert run.tags.get("studbook.error") == end.ending.error
        assert world.relay().refusals() == ()

    def test_when_the_service_was_quicker_nothing_is_refused(self, world: World) -> None:
        run_id = job_run(world)
        delivered(world, run_id, adopting("mine", run_id, by_service=True))
        world.store.end_run(run_id, RunStatus.KILLED, 2)
        run = delivered(world, run_id, METRIC, FAILED)
        assert (run.status, run.tags["studbook.end_reason"]) == (RunStatus.KILLED, "error")
        assert world.relay().refusals() == ()

    def test_a_run_that_was_not_adopted_is_ended_here(self, world: World) -> None:
        run_id = job_run(world)
        world.store.end_run(run_id, RunStatus.KILLED, 2)
        delivered(world, run_id, adopting("mine", run_id, by_service=True), FINISHED)
        assert world.run("mine").status is RunStatus.FINISHED

    def test_a_run_of_no_job_is_ended_here(self, world: World) -> None:
        run_id = job_run(world)
        run = delivered(world, run_id, adopting("mine", run_id), FINISHED)
        assert run.status is RunStatus.FINISHED


@pytest.mark.parametrize(
    ("beside", "place"), [(True, "jobs"), (False, EXPERIMENT)], ids=["beside its parent", "anywhere"]
)
def test_a_child_of_an_adopted_run_is_where_the_backend_can_have_it(
    tmp_path: Path, beside: bool, place: str
) -> None:
    world = World(tmp_path, Capabilities(children_beside_parent=beside))
    run_id = job_run(world)
    delivered(world, run_id, adopting("mine", run_id))
    world.say("child", started("child", parent="mine"))
    world.say("grandchild", started("grandchild", parent="child"))
    world.relay().drain()
    runs = {run.name: run for run in world.runs()}
    assert (runs["child"].experiment, runs["child"].parent_id) == (place, run_id)
    assert (runs["grandchild"].experiment, runs["grandchild"].parent_id) == (place, runs["child"].run_id)
    world.ledger = ledger_of_a_new_home()
    world.relay().drain()
    assert len(world.runs()) == 3


def test_a_child_of_a_run_that_is_gone_is_where_it_was_to_be(tmp_path: Path) -> None:
    world = World(tmp_path, Capabilities(children_beside_parent=True))
    run_id = job_run(world)
    delivered(world, run_id, adopting("mine", run_id))
    del world.store._runs[run_id]
    world.say("child", started("child", parent="mine"))
    world.relay().drain()
    assert world.run("child").experiment == EXPERIMENT


@pytest.mark.parametrize("one", [None, "mine-only"])
def test_questions_look_where_the_adopted_run_stands(world: World, one: str | None) -> None:
    run_id = job_run(world)
    delivered(world, run_id, adopting("mine", run_id))
    project = replace(world.project, experiment=one)

    def experiments(adopt: Adoption | None) -> set[str]:
        delivery = InlineDelivery(world.log, world.ledger, world.relay, world.clock)
        catalog = RunCatalog(world.store, world.artifacts, delivery, project, adopt)
        return set(catalog.experiments())

    others = experiments(None)
    assert "jobs" not in others
    assert experiments(Adoption(run_id=run_id)) == {*others, "jobs"}
    assert experiments(Adoption(run_id="of another backend")) == others


def test_only_the_first_run_asks(world: World) -> None:
    adopt = Adoption(run_id="abc")
    opening = RunOpening(world.project, adopt)
    identity = ad_hoc("studbook", Stage.FINAL_TRAINING, "mine", None, "0")
    asked = [opening.named(identity, "mine", EXPERIMENT, None).adopt for _ in range(3)]
    assert asked == [adopt, None, None]
    assert RunOpening(world.project).named(identity, "mine", EXPERIMENT, None).adopt is None
