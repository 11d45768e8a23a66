"""More tags, params and metrics than a backend takes for a run: none is lost, and all are read in their places."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.adapters.memory.artifact_store import MemoryArtifactStore
from studbook.adapters.memory.delivery_ledger import MemoryDeliveryLedger
from studbook.adapters.memory.tracking_store import MemoryTrackingStore
from studbook.application.list_runs import ListRuns
from studbook.application.storable import FittedRecords, as_recorded, histories
from studbook.domain.errors import MalformedRun, ParamRefused
from studbook.domain.run import Ending, EndReason, RunStatus
from studbook.domain.run_events import MetricsLogged, ParamsLogged, RunEnded, TagsSet
from studbook.domain.run_fields import RunFields
from studbook.domain.run_filter import MetricBound, RunFilter
from studbook.domain.stage import Stage
from studbook.domain.store_writes import MetricPoint, RecordBatch
from studbook.domain.stored_run import Lifecycle, StoredRun
from studbook.domain.vocabulary import DEFAULT_VOCABULARY
from studbook.ports.capabilities import Capabilities
from studbook.ports.contract.tracking_examples import RUN_KEY_TAG, START, fresh_name, metric, new_run
from studbook.ports.run_query import ANY_STATUS, RunQuery

from .relay_world import EXPERIMENT, World, started

_points = st.builds(
    MetricPoint,
    st.sampled_from("abcde"),
    st.sampled_from([0.0, -1.5, 0.1, math.nan, math.inf, -math.inf]),
    st.integers(START, START + 3),
    st.integers(-1, 3),
)


def records_of(world: World) -> FittedRecords:
    return FittedRecords(world.store, world.artifacts, DEFAULT_VOCABULARY)


@pytest.mark.parametrize("batches", [1, 3, 40])
def test_more_tags_than_a_backend_takes_come_back_whole(tmp_path: Path, batches: int) -> None:
    world = World(tmp_path, Capabilities(tags_per_run=50, tag_value_length=100))
    tags = {f"team/{number:03d}": f"value {number}" * (1 + number % 20) for number in range(120)}
    world.say("a", started("a"))
    relay = world.relay()
    for part in range(batches):
        chosen = {key: text for number, (key, text) in enumerate(tags.items()) if number % batches == part}
        world.say("a", TagsSet(tags=chosen))
        relay.drain()
    world.say("a", TagsSet(tags={"team/000": "again", "team/119": "again"}))
    world.say("a", RunEnded(ending=Ending.failed(EndReason.ERROR, "e")))
    relay.drain()
    assert relay.refusals() == ()
    assert len(world.run("a").tags) <= 50
    (run,) = world.catalog().runs(RunQuery((EXPERIMENT,), ANY_STATUS))
    wanted = {**tags, "team/000": "again", "team/119": "again"}
    assert {key: text for key, text in run.tags.items() if key.startswith("team/")} == wanted
    assert "studbook.more_tags" not in run.tags
    view = world.catalog().view(world.run("a"))
    assert (view.error, view.tags["team/050"]) == ("e", tags["team/050"])
    before = world.state()
    world.relay(MemoryDeliveryLedger()).drain()
    assert world.state() == before


@pytest.mark.parametrize("batches", [1, 3, 40])
def test_more_params_than_a_backend_takes_come_back_whole(tmp_path: Path, batches: int) -> None:
    world = World(tmp_path, Capabilities(params_per_run=50, tag_value_length=100, param_value_length=100))
    params = {f"layer/{number:03d}": f"spill:{number}" * (1 + number % 20) for number in range(120)}
    world.say("a", started("a"))
    relay = world.relay()
    for part in range(batches):
        chosen = {
            name: text for number, (name, text) in enumerate(params.items()) if number % batches == part
        }
        world.say("a", ParamsLogged(params=dict(chosen)))
        relay.drain()
    assert relay.refusals() == ()
    assert len(world.run("a").params) == 50
    (run,) = world.catalog().runs(RunQuery((EXPERIMENT,), ANY_STATUS))
    assert run.params == params
    assert "studbook.more_params" not in run.tags
    before = world.state()
    world.relay(MemoryDeliveryLedger()).drain()
    assert world.state() == before


def test_params_that_found_no_room_are_found_and_read_like_others(tmp_path: Path) -> None:
    world = World(tmp_path, Capabilities(params_per_run=1))
    world.say("a", started("a"), ParamsLogged(params={"p": 1, "q": 2, "r": None}))
    world.relay().drain()
    listed = ListRuns(world.catalog())
    assert [view.params for view in listed(RunFilter(params={"q": "2"}))] == [
        {"p": "1", "q": "2", "r": "null"}
    ]
    assert list(listed(RunFilter(params={"q": "3"}))) == []
    (view,) = world.catalog().find(tuple(Stage), fields=RunFields(frozenset({"run.schema"}), frozenset("q")))
    assert view.params == {"q": "2"}


def test_a_param_that_found_no_room_never_changes_and_nothing_else_is_lost(tmp_path: Path) -> None:
    world = World(tmp_path, Capabilities(params_per_run=2))
    world.say("a", started("a"), ParamsLogged(params={"p": "1", "q": "1", "r": "1"}))
    world.relay().drain()
    run_id, records = world.run("a").run_id, records_of(world)
    batch = RecordBatch({"p": "1", "r": "2", "s": "3"}, metric("m", 1.0).metrics, {"t": "5"})
    for _ in range(2):
        with pytest.raises(ParamRefused) as caught:
            records.record(run_id, batch)
        assert caught.value.details["params"] == ("r",)
    run = as_recorded(world.run("a"), world.artifacts, DEFAULT_VOCABULARY)
    assert run.params == {"p": "1", "q": "1", "r": "1", "s": "3"}
    assert (run.metrics, run.tags["t"]) == ({"m": 1.0}, "5")


@pytest.mark.parametrize("tag", ["studbook.more_tags", "studbook.more_params", "studbook.more_metrics"])
@pytest.mark.parametrize("text", ["[]", '{"a":1}', "{"])
def test_what_holds_more_of_them_must_be_readable(tag: str, text: str) -> None:
    run = StoredRun("r", "e", "n", RunStatus.RUNNING, Lifecycle.ACTIVE, 1, None, tags={tag: text})
    with pytest.raises(MalformedRun) as caught:
        as_recorded(run, MemoryArtifactStore(), DEFAULT_VOCABULARY)
    assert caught.value.details["tag"] == tag


@given(st.lists(st.lists(_points, max_size=4).map(tuple), max_size=8), st.integers(0, 5))
def test_metrics_are_read_as_they_were_recorded_however_few_a_backend_takes(
    batches: list[tuple[MetricPoint, ...]], limit: int
) -> None:
    limits = Capabilities(metrics_per_run=limit, tag_value_length=100)
    whole, files = MemoryTrackingStore(run_key_tag=RUN_KEY_TAG), MemoryArtifactStore(limits)
    limited = MemoryTrackingStore(limits, run_key_tag=RUN_KEY_TAG)
    new = new_run(fresh_name())
    run_id = whole.create_run(new)
    assert limited.create_run(new) == run_id
    for batch in (*batches, *batches[1::2]):
        whole.record(run_id, RecordBatch(metrics=batch))
        FittedRecords(limited, files, DEFAULT_VOCABULARY).record(run_id, RecordBatch(metrics=batch))
    held, recorded = limited.get_run(run_id), whole.get_run(run_id)
    assert len(held.metrics) == min(limit, len(recorded.metrics))
    read = as_recorded(held, files, DEFAULT_VOCABULARY)
    assert repr(sorted(read.metrics.items())) == repr(sorted(recorded.metrics.items()))
    assert read.tags == recorded.tags
    assert repr(dict(histories(held, limited, files, DEFAULT_VOCABULARY))) == repr(
        {name: whole.metric_history(run_id, name) for name in sorted(recorded.metrics)}
    )


def test_the_points_of_many_writes_lie_in_few_files(tmp_path: Path) -> None:
    world = World(tmp_path, Capabilities(metrics_per_run=0))
    world.say("a", started("a"))
    world.relay().drain()
    run_id = world.run("a").run_id
    for step in range(64):
        records_of(world).record(run_id, metric("m", float(step), step=step))
    held = DEFAULT_VOCABULARY.read("run.more_metrics", world.run("a").tags)
    assert isinstance(held, dict)
    assert sum(rows for _, rows in held["files"]) == 64
    assert len(held["files"]) <= 7


def test_the_objective_has_room_though_it_comes_last(tmp_path: Path) -> None:
    world = World(tmp_path, Capabilities(metrics_per_run=3))
    world.say("a", started("a"))
    world.relay().drain()
    run_id, records = world.run("a").run_id, records_of(world)
    objectives = dict([DEFAULT_VOCABULARY.write("study.objectives", [["f1", "maximize"]], Stage.TRIAL)])
    records.record(run_id, RecordBatch(tags=objectives))
    for name in ("loss", "lr", "grad", "time", "f1"):
        records.record(run_id, metric(name, 1.0))
    assert set(world.run("a").metrics) == {"loss", "lr", "f1"}


def test_metrics_that_found_no_room_are_found_and_read_like_others(tmp_path: Path) -> None:
    world = World(tmp_path, Capabilities(metrics_per_run=1))
    world.say("a", started("a"), MetricsLogged(metrics={"p": 1.0, "q": 2.0}, step=0))
    world.relay().drain()
    listed = ListRuns(world.catalog())
    (view,) = listed(RunFilter(metrics=(MetricBound.parse("q>1"),)))
    assert view.metrics == {"p": 1.0, "q": 2.0}
    assert list(listed(RunFilter(metrics=(MetricBound.parse("q>2"),)))) == []
    (view,) = world.catalog().find(tuple(Stage), fields=RunFields(frozenset({"run.schema"}), frozenset()))
    assert view.metrics == {"p": 1.0, "q": 2.0}


def test_what_is_known_to_have_room_is_not_asked_for(tmp_path: Path) -> None:
    world = World(tmp_path, Capabilities(metrics_per_run=50))
    world.say("a", started("a"))
    world.relay().drain()
    run_id, asked = world.run("a").run_id, list[str]()
    ask = world.store.get_run

    def get_run(run_id: str) -> StoredRun:
        asked.append(run_id)
        run: StoredRun = ask(run_id)
        return run

    world.store.get_run = get_run
    records = records_of(world)
    for step in range(9):
        records.record(run_id, metric("m", 1.0, step=step))
    assert asked == [run_id]
