"""The relay: everything once, in order, whatever breaks on the way."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from studbook.adapters.memory.delivery_ledger import MemoryDeliveryLedger
from studbook.application.relay import Delivery
from studbook.domain.errors import DeliveryPending, HomeUnusable, TrackingDenied, TrackingUnavailable
from studbook.domain.events import Envelope, Event
from studbook.domain.run import Ending, EndReason, RunStatus
from studbook.domain.run_events import (
    ArtifactLogged,
    DeliveryRefused,
    MetricsLogged,
    ParamsLogged,
    RecordWritten,
    RunEnded,
    RunReaped,
    TagsSet,
)
from studbook.domain.stage import Stage
from studbook.domain.store_writes import RecordBatch
from studbook.ports.contract.artifact_store import write_tree
from studbook.ports.contract.event_strategies import happenings
from studbook.ports.delivery_ledger import NO_CHANGES, Refusal, RunChanges
from studbook.ports.event_log import Cursor, Happening

from .relay_world import FINISHED, Cut, World, run_key, started


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def _unavailable() -> TrackingUnavailable:
    return TrackingUnavailable("the server is away", cure="wait")


def _metric(value: float, step: int = 0) -> MetricsLogged:
    return MetricsLogged(metrics={"loss": value}, step=step)


def _artifact(
    world: World, folder: Path, name: str, content: bytes, *, required: bool = False
) -> ArtifactLogged:
    source = write_tree(folder / f"source-{world.ids.nonce()}", {"model.bin": content})
    return world.builder.build(
        source,
        name="files",
        kind="any",  # type: ignore[arg-type]  # a StrEnum's text
        run_key=run_key(name),
        stage=Stage.FINAL_TRAINING,
        required=required,
    )


def _a_life(world: World, folder: Path) -> None:
    """Two runs, parent and child, with everything that a run can have."""
    world.say("parent", started("parent"), TagsSet(tags={"owner": "me"}))
    world.say("child", started("child", parent="parent"))
    world.say("child", ParamsLogged(params={"lr": 0.1, "long": "x" * 900}))
    for step in range(3):
        world.say("child", _metric(1.0 / (step + 1), step))
    world.say("child", _artifact(world, folder, "child", b"weights"))
    world.say("child", RecordWritten(name="lineage", content={"a": 1}, digest="d"))
    world.say("child", TagsSet(tags={"note": "first"}), TagsSet(tags={"note": "last", "long": "é" * 800}))
    world.say("child", RunEnded(ending=Ending.failed(error="ValueError: " + "no " * 200)))
    world.say("parent", _metric(float("nan")), FINISHED)


# --- once, however often -------------------------------------------------------------------------------------


def test_all_is_delivered(world: World, tmp_path: Path) -> None:
    _a_life(world, tmp_path)
    count = len(world.events())
    assert world.relay().drain() == Delivery(count, 0)
    child, parent = world.run("child"), world.run("parent")
    assert (child.status, parent.status) == (RunStatus.FAILED, RunStatus.FINISHED)
    assert child.parent_id == parent.run_id
    assert child.tags["note"] == "last"
    assert child.params["lr"] == "0.1"
    assert child.tags["studbook.end_reason"] == "error"
    assert world.files("child")["files/model.bin"] == b"weights"
    assert world.files("child")["studbook/records/lineage.json"] == b'{"a":1}'
    assert world.relay().pending() == 0
    assert world.relay().run_id(run_key("child")) == child.run_id


def test_draining_again_does_nothing(world: World, tmp_path: Path) -> None:
    _a_life(world, tmp_path)
    relay = world.relay()
    relay.drain()
    before = world.state()
    assert relay.drain() == Delivery(0, 0)
    assert world.relay().drain() == Delivery(0, 0)
    assert world.state() == before


def test_a_second_relay_without_a_memory_changes_nothing(world: World, tmp_path: Path) -> None:
    _a_life(world, tmp_path)
    world.relay().drain()
    before = world.state()
    again = world.relay(MemoryDeliveryLedger()).drain()
    assert (again.refused, world.state()) == (0, before)


def test_two_relays_at_once_deliver_once(world: World, tmp_path: Path) -> None:
    _a_life(world, tmp_path)
    relays = [world.relay(), world.relay()]
    threads = [threading.Thread(target=relay.drain) for relay in relays]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(world.runs()) == 2
    assert len(world.store.metric_history(world.run("child").run_id, "loss")) == 3


def test_who_does_not_get_the_lease_says_so(world: World) -> None:
    world.say("a", started("a"))
    with (
        world.ledger.lease(0),
        pytest.raises(DeliveryPending, match=r"1 event is .* another process") as caught,
    ):
        world.relay().drain(0)
    assert caught.value.details["pending"] == 1


# --- death at any write --------------------------------------------------------------------------------------


def _writes_of(world: World) -> int:
    counter = Cut(0, SystemExit, after=False)
    world.relay(MemoryDeliveryLedger(), counter).drain()
    return counter.calls


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_death_at_any_write_of_a_life_loses_and_doubles_nothing(tmp_path: Path, after: bool) -> None:
    def lived(name: str) -> World:
        world = World(tmp_path / name)
        _a_life(world, tmp_path / name)
        return world

    undisturbed = lived("undisturbed")
    undisturbed.relay().drain()
    writes = _writes_of(lived("counted"))
    assert writes > 12
    for at in range(1, writes + 1):
        world = lived(f"cut-{at}")
        with pytest.raises(SystemExit):
            world.relay(cut=Cut(at, SystemExit, after=after)).drain()
        world.relay().drain()
        assert world.state() == undisturbed.state(), at


_events = st.one_of(
    st.builds(_metric, st.floats(allow_nan=True), st.integers(0, 3)),
    st.builds(lambda n, v: ParamsLogged(params={n: v}), st.sampled_from("pq"), st.integers(0, 1)),
    st.builds(
        lambda n, v: TagsSet(tags={n: v}), st.sampled_from("tu"), st.sampled_from(["", "1", "y" * 600])
    ),
    st.just(FINISHED),
    st.just(RunEnded(ending=Ending.killed(EndReason.INTERRUPTED, "KeyboardInterrupt"))),
)


@st.composite
def _histories(draw: st.DrawFn) -> list[tuple[int, str, tuple[Event, ...]]]:
    """Appends of two writers, each with its run `0` or `1`; `1` is a child of `0`."""
    said: list[tuple[int, str, tuple[Event, ...]]] = [
        (0, "0", (started("0"),)),
        (1, "1", (started("1", "0"),)),
    ]
    for _ in range(draw(st.integers(0, 10))):
        writer = draw(st.integers(0, 1))
        event = draw(_events)
        if isinstance(event, ParamsLogged):
            # Which of two writers' values for one param is the first is decided by the order of delivery alone.
            event = ParamsLogged(params={f"{name}{writer}": value for name, value in event.params.items()})
        said.append((writer, draw(st.sampled_from("01")), (event,)))
    return said


def _lived(folder: str, history: list[tuple[int, str, tuple[Event, ...]]]) -> World:
    world = World(Path(folder))
    logs = [world.log, world.new_log()]
    for writer, name, events in history:
        world.say(name, *events, log=logs[writer])
    return world


@given(_histories(), st.data())
def test_death_at_any_write_of_any_history(
    history: list[tuple[int, str, tuple[Event, ...]]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        undisturbed = _lived(folder, history)
        undisturbed.relay().drain()
        world = _lived(folder, history)
        for _ in range(data.draw(st.integers(1, 3), label="deaths")):
            cut = Cut(data.draw(st.integers(1, 20), label="at"), SystemExit, after=data.draw(st.booleans()))
            try:
                world.relay(cut=cut).drain()
            except SystemExit:
                continue
        world.relay().drain()
        assert world.state() == undisturbed.state()
        assert _refused(world) == _refused(undisturbed)


@given(_histories(), st.integers(1, 20), st.booleans(), st.integers(1, 4))
def test_an_outage_at_any_write_is_sat_out(
    history: list[tuple[int, str, tuple[Event, ...]]], at: int, after: bool, times: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        undisturbed = _lived(folder, history)
        undisturbed.relay().drain()
        world = _lived(folder, history)
        world.relay(cut=Cut(at, _unavailable, after=after, times=times)).drain()
        assert world.state() == undisturbed.state()
        assert world.relay().pending() == 0


def _refused(world: World) -> set[tuple[str, int]]:
    return {(refusal.writer, refusal.sequence) for refusal in world.relay().refusals()}


@given(st.lists(happenings(), max_size=8))
def test_no_event_whatever_stops_the_others(said: list[Happening]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        for happening in said:
            world.log.append(happening)
        other = world.new_log()
        world.say("a", started("a"), _metric(1.0), FINISHED, log=other)
        with contextlib.suppress(DeliveryPending):
            world.relay().drain()
        assert world.run("a").status is RunStatus.FINISHED
        assert world.ledger.cursor()[other.writer] == 3


# --- waiting -------------------------------------------------------------------------------------------------


def test_waits_grow_and_are_taken_by_the_clock(world: World) -> None:
    world.say("a", started("a"))
    begun = world.clock.monotonic_ns()
    world.relay(cut=Cut(1, _unavailable, after=False, times=4)).drain()
    assert (world.clock.monotonic_ns() - begun) / 1e9 == pytest.approx(0.5 + 1 + 2 + 4)


def test_the_time_that_a_server_asks_for_is_waited(world: World) -> None:
    world.say("a", started("a"))
    asked = TrackingUnavailable("busy", cure="wait", retry_after_s=17.0)
    begun = world.clock.monotonic_ns()
    world.relay(cut=Cut(1, lambda: asked, after=False)).drain()
    assert (world.clock.monotonic_ns() - begun) / 1e9 == pytest.approx(17.0)


def test_a_wait_is_never_longer_than_a_minute(world: World) -> None:
    world.say("a", started("a"))
    waits: list[float] = []
    sleep = world.clock.sleep

    def watched(seconds: float) -> None:
        waits.append(seconds)
        sleep(seconds)

    world.clock.sleep = watched  # type: ignore[method-assign]
    world.relay(cut=Cut(1, _unavailable, after=False, times=2000)).drain(1e6)
    assert waits[:3] == [0.5, 1.0, 2.0]
    assert max(waits) == 60.0


def test_waits_begin_anew_when_something_was_delivered(world: World) -> None:
    world.say("a", started("a"), _metric(1.0), _metric(2.0, 1))
    record, down = world.store.record, {1: 3, 2: 1}

    def sometimes(run_id: str, batch: RecordBatch) -> None:
        value = batch.metrics[0].value if batch.metrics else 0
        if down.get(int(value)):
            down[int(value)] -= 1
            raise _unavailable()
        record(run_id, batch)

    world.store.record = sometimes
    begun = world.clock.monotonic_ns()
    assert world.relay(batch=1).drain() == Delivery(3, 0)
    assert (world.clock.monotonic_ns() - begun) / 1e9 == pytest.approx(0.5 + 1 + 2 + 0.5)


def test_a_file_that_was_on_its_way_is_waited_for_longer(world: World, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"weights")
    with world.open_run()("mine") as run:
        run.log_artifact(tmp_path / "model.bin")
    put, down = world.artifacts.put, [_unavailable(), _unavailable()]

    def sometimes(*arguments: object) -> object:
        if down:
            raise down.pop()
        return put(*arguments)

    world.artifacts.put = sometimes
    begun = world.clock.monotonic_ns()
    world.relay().drain()
    assert (world.clock.monotonic_ns() - begun) / 1e9 == pytest.approx(2 + 4)
    assert world.files("mine")["model.bin"] == b"weights"


def test_an_outage_beyond_the_time_limit_says_how_many_events_wait(world: World) -> None:
    world.say("a", started("a"), _metric(1.0), FINISHED)
    down = world.relay(cut=Cut(1, _unavailable, after=False, times=10**9))
    begun = world.clock.monotonic_ns()
    with pytest.raises(DeliveryPending, match=r"3 events .* the server is away") as caught:
        down.drain(10)
    assert caught.value.details["pending"] == 3
    assert world.clock.monotonic_ns() - begun == 10 * 10**9
    assert world.runs() == []
    assert world.relay().drain() == Delivery(3, 0)


def test_without_time_it_tries_once(world: World) -> None:
    world.say("a", started("a"))
    assert world.relay().drain(0) == Delivery(1, 0)
    world.say("a", FINISHED)
    cut = Cut(1, _unavailable, after=False, times=10**9)
    with pytest.raises(DeliveryPending):
        world.relay(cut=cut).drain(0)
    assert cut.calls == 1


def test_a_server_that_asked_to_be_left_alone_is_by_later_drains_too(world: World) -> None:
    world.say("a", started("a"))
    asked = TrackingUnavailable("busy", cure="wait", retry_after_s=100.0)
    cut = Cut(1, lambda: asked, after=False)
    relay = world.relay(cut=cut)
    begun = world.clock.monotonic_ns()
    for _ in range(3):
        with pytest.raises(DeliveryPending, match="1 event is not delivered yet"):
            relay.drain(30)
    assert cut.calls == 1
    assert relay.drain(30) == Delivery(1, 0)
    assert (world.clock.monotonic_ns() - begun) / 1e9 == pytest.approx(100.0)


def test_a_resending_leaves_the_server_alone_too(world: World) -> None:
    world.say("a", started("a"))
    asked = TrackingUnavailable("busy", cure="wait", retry_after_s=100.0)
    relay = world.relay(cut=Cut(1, lambda: asked, after=False))
    with pytest.raises(DeliveryPending):
        relay.drain(0)
    begun = world.clock.monotonic_ns()
    assert relay.resend_held(200) == Delivery(0, 0)
    assert (world.clock.monotonic_ns() - begun) / 1e9 == pytest.approx(100.0)


def test_waits_go_on_growing_in_later_drains(world: World) -> None:
    world.say("a", started("a"))
    cut = Cut(1, _unavailable, after=False, times=10**9)
    relay = world.relay(cut=cut)
    tries = []
    for _ in range(6):
        before = cut.calls
        with pytest.raises(DeliveryPending):
            relay.drain(30)
        tries.append(cut.calls - before)
    # 0.5 + 1 + 2 + 4 + 8 s and the rest of 30; then each wait is longer than a drain.
    assert tries == [7, 2, 2, 2, 2, 2]


def test_who_waits_is_told_when_the_time_is_over_in_the_middle(world: World) -> None:
    world.say("a", started("a"), *[_metric(1.0, step) for step in range(9)])
    record = world.store.record

    def slowly(run_id: str, batch: RecordBatch) -> None:
        world.clock.sleep(5)
        record(run_id, batch)

    world.store.record = slowly
    begun = world.clock.monotonic_ns()
    with pytest.raises(DeliveryPending, match="the time for it is over") as caught:
        world.relay(batch=1).drain(12)
    assert (world.clock.monotonic_ns() - begun) / 1e9 == pytest.approx(15)
    assert caught.value.details["pending"] == 7
    # A relay for which nobody waits goes on.
    assert world.relay().drain_held(12) == Delivery(7, 0)


def test_a_relay_process_says_why_events_are_left_without_reading_all_of_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.say("a", started("a"), *[_metric(1.0, step) for step in range(99)])
    read, given = world.log.read, []

    def counted(after: Cursor | None = None) -> Iterator[Envelope]:
        for envelope in read(after):
            given.append(envelope)
            yield envelope

    monkeypatch.setattr(world.log, "read", counted)
    relay = world.relay(cut=Cut(1, _unavailable, after=False), batch=1)
    assert relay.carry(0) == "the server is away"
    assert len(given) < 10
    assert relay.carry(0) is None
    assert world.ledger.cursor() == {world.log.writer: 100}


def test_what_was_delivered_before_an_outage_is_counted_once(world: World) -> None:
    first, second = world.log, world.new_log()
    world.say("a", started("a"), _metric(1.0), log=first)
    world.say("b", started("b", parent="a"), log=second)
    assert world.relay(cut=Cut(4, _unavailable, after=True)).drain() == Delivery(3, 0)


def test_refused_credentials_are_told_at_once_and_lose_nothing(world: World) -> None:
    world.say("a", started("a"))

    def denied() -> TrackingDenied:
        return TrackingDenied("the backend refuses these credentials", cure="log in")

    begun = world.clock.monotonic_ns()
    with pytest.raises(TrackingDenied):
        world.relay(cut=Cut(1, denied, after=False)).drain()
    assert world.clock.monotonic_ns() == begun
    assert world.relay().drain() == Delivery(1, 0)


def test_a_busy_writer_does_not_hold_up_the_barrier(world: World) -> None:
    world.say("a", started("a"))
    record = world.store.record

    def and_more(run_id: str, batch: object) -> None:
        record(run_id, batch)
        world.say("a", _metric(1.0))

    world.store.record = and_more
    assert world.relay().drain() == Delivery(1, 0)
    assert world.relay().pending() == 1


# --- refusals ------------------------------------------------------------------------------------------------


def test_a_refused_param_leaves_the_rest_of_its_batch(world: World) -> None:
    world.say("a", started("a"), ParamsLogged(params={"lr": 1, "depth": 2}), _metric(1.0))
    (bad,) = world.say("a", ParamsLogged(params={"lr": 2}))
    world.say("a", _metric(2.0, 1), TagsSet(tags={"note": "n"}), FINISHED)
    assert world.relay().drain().refused == 1
    run = world.run("a")
    assert (run.params, run.metrics, run.tags["note"]) == ({"lr": "1", "depth": "2"}, {"loss": 2.0}, "n")
    assert run.status is RunStatus.FINISHED
    (refusal,) = world.relay().refusals()
    assert (refusal.writer, refusal.sequence, refusal.run_key) == (bad.writer, bad.sequence, run_key("a"))
    assert refusal.reason.startswith("ParamRefused: ")
    (fact,) = [event for event in world.events() if isinstance(event, DeliveryRefused)]
    assert (fact.writer, fact.sequence, fact.reason) == (bad.writer, bad.sequence, refusal.reason)
    assert world.relay().pending() == 0


def test_a_refusal_is_told_once_though_the_relay_dies_of_it(world: World) -> None:
    ledger = _Dying()
    world.say("a", started("a"), ParamsLogged(params={"lr": 1}), ParamsLogged(params={"lr": 2}))
    with pytest.raises(SystemExit):
        world.relay(ledger).drain()
    assert world.relay(ledger).drain().refused == 1
    assert len([event for event in world.events() if isinstance(event, DeliveryRefused)]) == 1
    assert len(ledger.refusals()) == 1


class _Dying(MemoryDeliveryLedger):
    """Its process dies when the first refusal is kept."""

    def refuse(self, refusal: Refusal) -> None:
        first = not self.refusals()
        super().refuse(refusal)
        if first:
            raise SystemExit


def test_a_refusal_costs_few_extra_writes(world: World) -> None:
    world.say("a", started("a"), ParamsLogged(params={"lr": 1}))
    for step in range(500):
        world.say("a", _metric(1.0, step))
    world.say("a", ParamsLogged(params={"lr": 2}))
    for step in range(500):
        world.say("a", _metric(1.0, 500 + step))
    counter = Cut(0, SystemExit, after=False)
    world.relay(cut=counter).drain()
    assert len(world.store.metric_history(world.run("a").run_id, "loss")) == 1000
    assert counter.calls < 60


def test_a_refused_beginning_makes_the_run_and_its_children_refused(world: World) -> None:
    world.say("gone", started("gone", experiment="deleted"))
    world.relay().drain()
    world.store.delete_experiment("deleted")
    other = world.new_log()
    world.say("a", started("a", experiment="deleted"), _metric(1.0), FINISHED)
    world.say("child", started("child", parent="a"), _metric(1.0), log=other)
    world.say("b", started("b"), _metric(2.0), FINISHED)
    assert world.relay().drain().refused == 5
    assert world.run("b").status is RunStatus.FINISHED
    assert {refusal.run_key for refusal in world.relay().refusals()} == {run_key("a"), run_key("child")}
    assert world.relay().pending() == 0
    # Also for what comes later, and for a relay that was not there.
    world.say("a", _metric(3.0))
    assert world.relay().drain().refused == 1


def test_a_deleted_run_is_refused_and_another_goes_on(world: World) -> None:
    world.say("a", started("a"))
    world.say("b", started("b"))
    world.relay().drain()
    world.store.delete_run(world.run("a").run_id)
    world.say("a", _metric(1.0), FINISHED)
    world.say("b", _metric(1.0), FINISHED)
    assert world.relay().drain().refused == 2
    assert world.run("b").status is RunStatus.FINISHED


def test_a_run_that_the_store_lost_is_refused_and_another_goes_on(world: World) -> None:
    world.say("a", started("a"))
    world.relay().drain()
    world.store = World(Path("unused")).store
    world.say("a", _metric(1.0), FINISHED)
    world.say("b", started("b"), FINISHED)
    assert world.relay().drain().refused == 2
    assert world.run("b").status is RunStatus.FINISHED


def test_a_later_end_is_refused_as_terminal_and_leaves_no_trace(world: World) -> None:
    world.say("a", started("a"), FINISHED)
    world.say("a", RunEnded(ending=Ending.failed(error="ValueError: late")))
    world.say("k", started("k"), RunEnded(ending=Ending.killed(EndReason.INTERRUPTED)))
    world.say("k", RunReaped(reason="lost", last_event_ns=world.clock.now_ns()))
    assert world.relay().drain().refused == 2
    assert world.run("a").status is RunStatus.FINISHED
    assert "studbook.end_reason" not in world.run("a").tags
    assert world.run("k").tags["studbook.end_reason"] == "interrupted"
    assert all(refusal.reason.startswith("TERMINAL: ") for refusal in world.relay().refusals())


def test_a_reason_holds_no_secret(world: World) -> None:
    world.say("a", started("a"), ParamsLogged(params={"uri": 1}))
    world.relay().drain()

    def refuse(run_id: str, batch: object) -> None:
        from studbook.domain.errors import TrackingRefused

        raise TrackingRefused("https://me:hush@host says no", cure="ask")

    world.store.record = refuse
    world.say("a", _metric(1.0))
    world.relay().drain()
    assert "hush" not in world.relay().refusals()[0].reason


def test_an_event_that_no_store_can_hold_does_not_hold_up_the_rest(world: World) -> None:
    world.recorder().record(None, _metric(1.0))
    world.say("a", started("a"), RecordWritten(name="r", content={"big": 2**60}, digest="d"))
    world.say("a", ArtifactLogged(manifest={"no": "manifest"}, pin="pins/x"))
    world.say("a", FINISHED)
    assert world.relay().drain().refused == 3
    assert world.run("a").status is RunStatus.FINISHED


def test_tags_that_would_rewrite_what_a_run_is_are_refused_and_the_rest_goes_on(world: World) -> None:
    world.say("a", started("a"), TagsSet(tags={"studbook.stage": "benchmark"}), _metric(1.0), FINISHED)
    assert world.relay().drain() == Delivery(4, 1)
    assert world.relay().refusals()[0].reason.startswith("TagConflict: ")
    run = world.run("a")
    assert (run.status, run.tags["studbook.stage"]) == (RunStatus.FINISHED, "final_training")


def test_a_refused_artifact_keeps_its_bytes(world: World, tmp_path: Path) -> None:
    world.say("a", started("a"))
    logged = _artifact(world, tmp_path, "a", b"weights")
    path = world.pins.path(logged.pin) / "model.bin"
    path.write_bytes(b"spoiled")
    world.say("a", logged, FINISHED)
    world.relay().drain()
    assert world.relay().refusals()[0].reason.startswith("IntegrityError: ")
    assert path.read_bytes() == b"spoiled"
    assert world.run("a").status is RunStatus.FINISHED


def test_a_run_without_its_required_artifact_does_not_finish(world: World, tmp_path: Path) -> None:
    for name in "ab":
        world.say(name, started(name))
        logged = _artifact(world, tmp_path, name, b"weights", required=True)
        world.pins.release(logged.pin)
        world.say(name, logged)
    world.say("a", FINISHED)
    world.relay().drain()
    world.say("b", FINISHED)
    world.relay().drain()
    for name in "ab":
        run = world.run(name)
        assert run.status is RunStatus.FAILED
        assert run.tags["studbook.end_reason"] == "artifact_refused"
        assert run.tags["studbook.error"].startswith("IntegrityError: ")


# --- several writers -----------------------------------------------------------------------------------------


def test_a_child_before_its_parents_writer_comes_later(world: World) -> None:
    early, late = world.log, world.new_log()
    world.say("parent", started("parent"), log=late)
    world.say("child", started("child", parent="parent"), _metric(1.0), FINISHED, log=early)
    world.say("parent", FINISHED, log=late)
    assert early.writer < late.writer
    assert world.relay().drain() == Delivery(5, 0)
    assert world.run("child").parent_id == world.run("parent").run_id


def test_a_child_whose_parent_is_nowhere_is_held_back_until_it_comes(world: World) -> None:
    world.say("child", started("child", parent="parent"), _metric(1.0))
    world.say("other", started("other"), FINISHED, log=world.new_log())
    with pytest.raises(DeliveryPending, match=r"2 events .* another journal"):
        world.relay().drain()
    assert [run.name for run in world.runs()] == ["other"]
    world.say("parent", started("parent"), log=world.new_log())
    assert world.relay().drain() == Delivery(3, 0)
    assert world.run("child").parent_id == world.run("parent").run_id


def test_a_parent_that_another_home_delivered_is_found(world: World) -> None:
    world.say("parent", started("parent"))
    world.relay().drain()
    away = World(Path("unused"))
    away.store = world.store
    away.say("child", started("child", parent="parent"))
    assert away.relay().drain() == Delivery(1, 0)
    assert away.run("child").parent_id == world.run("parent").run_id


def test_a_run_ends_after_the_earlier_events_of_all_writers(world: World) -> None:
    first, second = world.log, world.new_log()
    world.say("a", started("a"), log=first)
    world.say("a", _metric(1.0), log=second)
    world.say("a", FINISHED, log=first)
    world.say("b", started("b"), FINISHED, log=first)
    seen: list[dict[str, float]] = []
    end = world.store.end_run

    def and_look(run_id: str, status: RunStatus, ended_at_ms: int) -> None:
        seen.append(world.store.get_run(run_id).metrics)
        end(run_id, status, ended_at_ms)

    world.store.end_run = and_look
    assert world.relay().drain() == Delivery(5, 0)
    assert seen == [{"loss": 1.0}, {}]


def test_an_end_does_not_wait_for_later_events(world: World) -> None:
    first, second = world.log, world.new_log()
    world.say("a", started("a"), log=first)
    world.say("a", FINISHED, log=first)
    world.say("a", _metric(1.0), log=second)
    ends: list[int] = []
    end = world.store.end_run

    def and_count(run_id: str, status: RunStatus, ended_at_ms: int) -> None:
        ends.append(world.relay().pending())
        end(run_id, status, ended_at_ms)

    world.store.end_run = and_count
    world.relay().drain()
    assert ends == [3]
    assert world.run("a").metrics == {"loss": 1.0}


def test_an_end_does_not_wait_for_what_is_held_back(world: World) -> None:
    first, second = world.log, world.new_log()
    world.say("a", started("a"), log=first)
    world.say("lost", _metric(1.0), log=second)
    world.say("a", _metric(1.0), log=second)
    world.say("a", FINISHED, log=first)
    with pytest.raises(DeliveryPending, match="2 events"):
        world.relay().drain()
    assert world.run("a").status is RunStatus.FINISHED


def test_ends_that_wait_for_each_other_are_delivered(world: World) -> None:
    first, second = world.log, world.new_log()
    world.say("a", started("a"), log=first)
    world.say("b", started("b"), log=second)
    for name, log in (("a", first), ("b", second)):
        world.recorder(log).record(run_key(name), FINISHED)
    for name, log in (("b", first), ("a", second)):
        world.recorder(log).record(run_key(name), _metric(1.0))
    assert world.relay().drain() == Delivery(6, 0)
    assert {run.status for run in world.runs()} == {RunStatus.FINISHED}


# --- the cursor and the pins ---------------------------------------------------------------------------------


class _Watching(MemoryDeliveryLedger):
    """Sees every cursor."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Cursor] = []

    def advance(self, cursor: Cursor, runs: RunChanges = NO_CHANGES) -> None:
        super().advance(cursor, runs)
        self.seen.append(self.cursor())


@given(_histories())
def test_cursors_never_go_back(history: list[tuple[int, str, tuple[Event, ...]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = _lived(folder, history)
        ledger = _Watching()
        world.relay(ledger).drain()
        for earlier, later in pairwise(ledger.seen):
            assert all(later[writer] >= sequence for writer, sequence in earlier.items())
        assert sum(ledger.cursor().values()) == len(world.events())


def test_no_pin_stays_wherever_the_relay_dies(tmp_path: Path) -> None:
    at, died = 0, True
    while died:
        at += 1
        world = World(tmp_path / str(at))
        world.say("a", started("a"))
        logged = [_artifact(world, tmp_path / str(at), "a", content) for content in (b"one", b"two")]
        world.say("a", *logged, FINISHED)
        died = False
        try:
            world.relay(cut=Cut(at, SystemExit, after=False)).drain()
        except SystemExit:
            died = True
            world.relay().drain()
        assert [pin for pin in logged if world.pins.path(pin.pin).exists()] == []
        assert world.relay().refusals() == ()
    assert at > 5


def test_a_pin_that_cannot_be_removed_stops_nothing(world: World, tmp_path: Path) -> None:
    def refuse(pin: str) -> None:
        raise HomeUnusable(f"{pin} cannot be removed", cure="give the home to this user")

    world.say("a", started("a"), _artifact(world, tmp_path, "a", b"weights"), FINISHED)
    world.pins.release = refuse  # type: ignore[method-assign]
    with structlog.testing.capture_logs() as logs:
        assert world.relay().drain() == Delivery(3, 0)
    assert [entry["event"] for entry in logs] == ["delivered files stay in the home"]
