"""Delivering what waits, once, and sending again what was refused."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.adapters.memory.delivery_ledger import MemoryDeliveryLedger
from studbook.adapters.system.clock import SystemClock
from studbook.application.delivery_pass import BATCH
from studbook.application.relay import Relay
from studbook.application.sync import SyncHome
from studbook.domain.errors import DeliveryPending, TrackingDenied, TrackingRefused, TrackingUnavailable
from studbook.domain.run import RunStatus
from studbook.domain.run_events import ArtifactLogged, MetricsLogged
from studbook.domain.stage import Stage
from studbook.domain.store_writes import RecordBatch
from studbook.domain.stored_run import Lifecycle
from studbook.ports.clock import Clock
from studbook.ports.contract.artifact_store import write_tree
from studbook.ports.event_log import Happening

from .relay_world import FINISHED, Cut, World, run_key, started


class Sync:
    """The use case on a world, by the machine's clock or another; counts the relays that it had built."""

    def __init__(
        self, world: World, cut: Cut | None = None, clock: Clock | None = None, batch: int = BATCH
    ) -> None:
        self.built = 0
        self._world = world
        self._cut = cut
        self._batch = batch
        self.run = SyncHome(world.log, world.ledger, self._relay, clock or SystemClock())

    def _relay(self) -> Relay:
        self.built += 1
        return self._world.relay(cut=self._cut, batch=self._batch)


def _metric(value: float) -> MetricsLogged:
    return MetricsLogged(metrics={"loss": value})


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def _unavailable() -> TrackingUnavailable:
    return TrackingUnavailable("the server is away", cure="wait")


def test_what_waits_is_delivered_whoever_recorded_it(world: World) -> None:
    world.say("a", started("a"), _metric(1.0))
    world.say("b", started("b"), FINISHED, log=world.new_log())
    done = Sync(world).run()
    assert (done.delivered, done.resent, done.pending, done.refusals) == (4, 0, 0, ())
    assert {run.name: run.status for run in world.runs()} == {
        "a": RunStatus.RUNNING,
        "b": RunStatus.FINISHED,
    }


@pytest.mark.parametrize("refused", [False, True])
def test_with_nothing_to_do_no_client_is_loaded(world: World, refused: bool) -> None:
    world.say("a", started("a"))
    world.relay().drain()
    sync = Sync(world)
    assert sync.run(refused=refused).delivered == 0
    assert sync.built == 0


def test_an_outage_is_told_with_what_waits_and_remembered(world: World) -> None:
    world.say("a", started("a"))
    with pytest.raises(DeliveryPending, match=r"1 event is .* the server is away"):
        Sync(world, Cut(1, _unavailable, after=False, times=9)).run(0.0)
    assert "the server is away" in (world.ledger.problem() or "")
    assert Sync(world).run().delivered == 1
    assert world.ledger.problem() is None


def test_a_time_limit_ends_it_in_the_middle_and_without_one_it_goes_on(world: World) -> None:
    world.say("a", started("a"), *[MetricsLogged(metrics={"loss": 0.5}, step=step) for step in range(9)])
    record = world.store.record

    def slowly(run_id: str, batch: RecordBatch) -> None:
        world.clock.sleep(40)
        record(run_id, batch)

    world.store.record = slowly
    with pytest.raises(DeliveryPending, match=r"8 events are .* the time for it is over"):
        Sync(world, clock=world.clock, batch=1).run(60.0)
    assert Sync(world, clock=world.clock, batch=1).run().delivered == 8


def test_refused_credentials_are_told_at_once_and_remembered(world: World) -> None:
    world.say("a", started("a"))
    cut = Cut(1, lambda: TrackingDenied("no", cure="log in"), after=False)
    with pytest.raises(TrackingDenied):
        Sync(world, cut).run()
    assert world.ledger.problem() == "no"
    assert Sync(world).run().delivered == 1


def test_a_relay_at_work_is_waited_for(world: World) -> None:
    world.say("a", started("a"), FINISHED)
    at_work, asked = threading.Event(), threading.Event()

    class Ledger(MemoryDeliveryLedger):
        def cursor(self) -> dict[str, int]:
            if at_work.is_set():
                asked.set()
            return dict(super().cursor())

    world.ledger = ledger = Ledger()

    def other_relay() -> None:
        with ledger.lease(0.0):
            at_work.set()
            asked.wait(30)
            world.relay().drain_held(30)
            finished.wait(30)

    finished = threading.Event()
    thread = threading.Thread(target=other_relay)
    thread.start()
    at_work.wait(30)
    sync = Sync(world)
    try:
        assert sync.run(30).delivered == 2
    finally:
        finished.set()
        thread.join()
    assert sync.built == 0
    assert world.run("a").status is RunStatus.FINISHED


@pytest.mark.parametrize("problem", [None, "the server is away"])
def test_a_relay_that_does_not_deliver_is_not_waited_for_beyond_the_limit(
    world: World, problem: str | None
) -> None:
    world.say("a", started("a"))
    world.ledger.report(problem)
    with (
        world.ledger.lease(0.0),
        pytest.raises(DeliveryPending, match=problem or "another process") as caught,
    ):
        Sync(world).run(0.05)
    assert caught.value.details["pending"] == 1


def test_a_relay_at_work_keeps_refused_events_from_being_sent_again(world: World) -> None:
    _refuse_a_metric(world)
    with world.ledger.lease(0.0), pytest.raises(DeliveryPending, match="not sent again"):
        Sync(world).run(0.05, refused=True)
    assert len(world.ledger.refusals()) == 1


def test_what_somebody_else_delivered_can_be_looked_at(world: World) -> None:
    _refuse_a_metric(world)
    world.say("a", _metric(2.0))
    done = Sync(world).run.done()
    assert (done.delivered, done.pending, len(done.refusals)) == (0, 1, 1)


# --- refused events ------------------------------------------------------------------------------------------


def _refuse_a_metric(world: World) -> None:
    """Run `a`, of which the backend took all but one metric."""
    world.say("a", started("a"))
    world.relay().drain()
    world.say("a", _metric(1.0))
    cut = Cut(1, lambda: TrackingRefused("the quota is used up", cure="pay"), after=False)
    assert world.relay(cut=cut).drain().refused == 1


def _restore(world: World) -> None:
    """Take the deleted experiment out of the bin."""
    world.store._experiments["deleted"] = Lifecycle.ACTIVE


def test_without_being_asked_nothing_refused_is_sent_again(world: World) -> None:
    _refuse_a_metric(world)
    done = Sync(world).run()
    assert (done.resent, len(done.refusals)) == (0, 1)


def test_a_refused_event_is_sent_again_when_the_cause_is_mended(world: World) -> None:
    _refuse_a_metric(world)
    done = Sync(world).run(refused=True)
    assert (done.resent, done.refusals) == (1, ())
    assert world.run("a").metrics == {"loss": 1.0}
    assert world.relay().pending() == 0
    assert Sync(world).run(refused=True).resent == 0


def test_what_is_refused_again_stays_refused_with_its_first_reason(world: World) -> None:
    _refuse_a_metric(world)
    before = world.ledger.refusals()

    def record(run_id: str, batch: object) -> None:
        raise TrackingRefused("still no", cure="pay")

    world.store.record = record
    done = Sync(world).run(refused=True)
    assert (done.resent, done.refusals) == (0, before)


def test_a_whole_tree_is_taken_parents_first_whoever_wrote_it(world: World) -> None:
    world.say("gone", started("gone", experiment="deleted"))
    world.relay().drain()
    world.store.delete_experiment("deleted")
    first, second = world.new_log(), world.new_log()
    # The child's writer comes first by its id.
    world.say("root", started("root", experiment="deleted"), log=second)
    world.say("child", started("child", parent="root"), _metric(1.0), FINISHED, log=first)
    world.say("root", _metric(2.0), FINISHED, log=second)
    assert world.relay().drain().refused == 6
    _restore(world)
    done = Sync(world).run(refused=True)
    assert (done.resent, done.refusals) == (6, ())
    child, root = world.run("child"), world.run("root")
    assert child.parent_id == root.run_id
    assert {child.status, root.status} == {RunStatus.FINISHED}
    assert [run.run_key for run in world.ledger.open_runs()] == [run_key("gone")]


def test_an_outage_in_between_loses_nothing(world: World) -> None:
    _refuse_a_metric(world)
    with pytest.raises(DeliveryPending):
        Sync(world, Cut(1, _unavailable, after=False, times=99)).run(0.0, refused=True)
    assert len(world.ledger.refusals()) == 1
    assert Sync(world).run(refused=True).resent == 1


def test_a_death_after_the_write_sends_it_again_with_the_same_effect(world: World) -> None:
    _refuse_a_metric(world)
    with pytest.raises(SystemExit):
        Sync(world, Cut(1, SystemExit, after=True)).run(refused=True)
    assert Sync(world).run(refused=True).refusals == ()
    assert len(world.store.metric_history(world.run("a").run_id, "loss")) == 1


def test_the_files_of_a_refused_artifact_are_released_when_they_are_taken(
    world: World, tmp_path: Path
) -> None:
    logged = _artifact(world, tmp_path)
    path = world.pins.path(logged.pin) / "model.bin"
    path.write_bytes(b"spoiled")
    world.say("a", started("a"), logged, FINISHED)
    assert world.relay().drain().refused == 1
    path.write_bytes(b"weights")
    assert Sync(world).run(refused=True).refusals == ()
    assert world.files("a")["files/model.bin"] == b"weights"
    assert not path.exists()


def test_a_run_that_failed_for_want_of_its_files_stays_failed_and_gets_them(
    world: World, tmp_path: Path
) -> None:
    logged = _artifact(world, tmp_path, required=True)
    path = world.pins.path(logged.pin) / "model.bin"
    path.write_bytes(b"spoiled")
    world.say("a", started("a"), logged, FINISHED)
    assert world.relay().drain().refused == 1
    path.write_bytes(b"weights")
    assert Sync(world).run(refused=True).refusals == ()
    assert world.run("a").status is RunStatus.FAILED
    assert world.files("a")["files/model.bin"] == b"weights"


def test_an_end_that_was_refused_with_its_required_files_finishes_with_them(
    world: World, tmp_path: Path
) -> None:
    world.say("gone", started("gone", experiment="deleted"))
    world.relay().drain()
    world.store.delete_experiment("deleted")
    world.say("a", started("a", experiment="deleted"), _artifact(world, tmp_path, required=True), FINISHED)
    assert world.relay().drain().refused == 3
    _restore(world)
    assert Sync(world).run(refused=True).refusals == ()
    assert world.run("a").status is RunStatus.FINISHED
    assert world.files("a")["files/model.bin"] == b"weights"


def _artifact(world: World, folder: Path, *, required: bool = False) -> ArtifactLogged:
    return world.builder.build(
        write_tree(folder / "source", {"model.bin": b"weights"}),
        name="files",
        kind="any",  # type: ignore[arg-type]  # a StrEnum's text
        run_key=run_key("a"),
        stage=Stage.FINAL_TRAINING,
        required=required,
    )


def test_a_refused_event_whose_journal_is_gone_stays_refused(world: World) -> None:
    _refuse_a_metric(world)
    (refusal,) = world.ledger.refusals()
    world.journal.events[refusal.writer] = []
    done = Sync(world).run(refused=True)
    assert (done.resent, done.refusals) == (0, (refusal,))


@given(
    refused=st.sets(st.integers(0, 11)),
    again=st.sets(st.integers(0, 11)),
)
def test_what_is_taken_in_the_end_is_what_was_never_refused_last(refused: set[int], again: set[int]) -> None:
    """Whatever a backend refuses first, and again: what it takes is stored once, the rest is told of."""
    world = World(Path("unused"))
    world.say("a", started("a"))
    world.relay().drain()
    now = world.clock.now_ns()
    world.log.append(
        *(Happening(MetricsLogged(metrics={f"m{n}": 1.0}), run_key("a"), now + n) for n in range(12))
    )
    store = world.store
    real = store.record

    def record(run_id: str, batch: object) -> None:
        names = {point.name for point in batch.metrics}  # type: ignore[attr-defined]
        if names & {f"m{n}" for n in barred}:
            raise TrackingRefused("not these", cure="ask")
        real(run_id, batch)

    store.record = record
    barred = refused
    world.relay().drain()
    assert {refusal.sequence - 2 for refusal in world.ledger.refusals()} == refused
    barred = again
    done = Sync(world).run(refused=True)
    assert {refusal.sequence - 2 for refusal in done.refusals} == refused & again
    assert done.resent == len(refused - again)
    assert set(world.run("a").metrics) == {f"m{n}" for n in range(12) if n not in refused & again}
