"""The store writer: the projection's writes, merged into few calls, in an order that readers can trust."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studbook.application.store_writer import RunUnknown, StoreWriter
from studbook.domain.errors import ArtifactInvalid, ParamRefused, RunEnded
from studbook.domain.run import RunStatus
from studbook.domain.store_writes import (
    CreateRun,
    EndRun,
    MetricPoint,
    RecordBatch,
    RecordRun,
    StoreWrite,
    WriteRecord,
)
from studbook.domain.vocabulary import DEFAULT_VOCABULARY

from .relay_world import EXPERIMENT, RUN_KEY_TAG, World, run_key


class _Recorded:
    """A store that remembers what it was asked to write."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.asked: list[str] = []
        self.batches: list[RecordBatch] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def create_run(self, new: Any) -> Any:
        self.asked.append("create")
        return self._store.create_run(new)

    def record(self, run_id: str, batch: RecordBatch) -> None:
        self.asked.append("record")
        self.batches.append(batch)
        self._store.record(run_id, batch)

    def end_run(self, run_id: str, status: RunStatus, ended_at_ms: int) -> None:
        self.asked.append("end")
        self._store.end_run(run_id, status, ended_at_ms)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.store = _Recorded(world.store)
    return world


@pytest.fixture
def writer(world: World) -> StoreWriter:
    return StoreWriter(
        world.store,
        world.artifacts,
        world.ledger,
        world.pins,
        DEFAULT_VOCABULARY,
        world.log,
        world.clock,
    )


def _create(name: str, tags: dict[str, str] | None = None) -> CreateRun:
    return CreateRun(run_key(name), EXPERIMENT, name, 1, {RUN_KEY_TAG: run_key(name), **(tags or {})})


def _metric(name: str, value: float) -> RecordRun:
    return RecordRun(run_key(name), RecordBatch(metrics=(MetricPoint("loss", value, 1, int(value)),)))


def _param(name: str, value: str) -> RecordRun:
    return RecordRun(run_key(name), RecordBatch(params={"lr": value}))


def _end(name: str, status: RunStatus = RunStatus.FINISHED, tags: dict[str, str] | None = None) -> EndRun:
    return EndRun(run_key(name), status, 9, tags or {})


def test_the_records_of_a_run_are_one_call_even_between_those_of_another(
    writer: StoreWriter, world: World
) -> None:
    mixed: list[StoreWrite] = [_create("a"), _create("b")]
    for value in range(100):
        mixed += [_metric("a", value), _metric("b", value)]
    writer.write(mixed)
    assert world.store.asked == ["create", "create", "record", "record"]
    assert [len(batch.metrics) for batch in world.store.batches] == [100, 100]


def test_a_run_ends_after_all_that_was_recorded_of_it(writer: StoreWriter, world: World) -> None:
    writer.write([_create("a"), _metric("a", 1), _param("a", "1"), _end("a", RunStatus.FAILED, {"why": "x"})])
    assert world.store.asked == ["create", "record", "end"]
    assert world.run("a").tags["why"] == "x"


def test_a_finished_run_asks_for_nothing_more(writer: StoreWriter, world: World) -> None:
    writer.write([_create("a"), _end("a")])
    assert world.store.asked == ["create", "end"]


def test_a_param_that_changes_within_one_write_reaches_the_store(writer: StoreWriter, world: World) -> None:
    with pytest.raises(ParamRefused):
        writer.write([_create("a"), _param("a", "1"), _metric("a", 1), _param("a", "2"), _metric("a", 2)])
    assert world.run("a").params == {"lr": "1"}


def test_the_same_param_again_is_one(writer: StoreWriter, world: World) -> None:
    writer.write([_create("a"), _param("a", "1"), _param("a", "1")])
    assert world.store.batches == [RecordBatch(params={"lr": "1"})]


def test_the_last_tag_wins(writer: StoreWriter, world: World) -> None:
    tags = [RecordRun(run_key("a"), RecordBatch(tags={"t": text})) for text in ("1", "2", "3")]
    writer.write([_create("a"), *tags])
    assert world.run("a").tags["t"] == "3"


def test_a_known_run_is_not_created_again(writer: StoreWriter, world: World) -> None:
    writer.write([_create("a")])
    writer.write([_create("a")])
    assert world.store.asked == ["create"]


@pytest.mark.parametrize("value", ["c" * 501, "spill:me"])
def test_a_run_is_created_without_what_must_spill(writer: StoreWriter, world: World, value: str) -> None:
    tags = {"studbook.created_by": value}
    writer.write([_create("a", tags), RecordRun(run_key("a"), RecordBatch(tags=tags))])
    assert world.run("a").tags["studbook.created_by"].startswith("spill:sha256:")


@pytest.mark.parametrize("write", [_metric("a", 1), _end("a"), WriteRecord(run_key("a"), "studbook/x", 1)])
def test_a_write_to_an_unknown_run_names_it(writer: StoreWriter, world: World, write: StoreWrite) -> None:
    with pytest.raises(RunUnknown) as caught:
        writer.write([_create("b"), write])
    assert caught.value.missing == run_key("a")
    assert [run.name for run in world.runs()] == ["b"]


def test_a_child_of_an_unknown_parent_names_the_parent(writer: StoreWriter, world: World) -> None:
    with pytest.raises(RunUnknown) as caught:
        writer.write([CreateRun(run_key("a"), EXPERIMENT, "a", 1, {}, parent=run_key("p"))])
    assert caught.value.missing == run_key("p")
    assert world.runs() == []


def test_another_end_with_the_same_status_leaves_no_trace(writer: StoreWriter, world: World) -> None:
    writer.write([_create("a"), _end("a", RunStatus.KILLED, {"why": "w" * 600})])
    before = world.state()
    writer.write([_end("a", RunStatus.KILLED, {"why": "w" * 600})])
    with pytest.raises(RunEnded):
        writer.write([_end("a", RunStatus.KILLED, {"why": "otherwise"})])
    with pytest.raises(RunEnded):
        writer.write([_end("a", RunStatus.FAILED, {"why": "w" * 600})])
    assert world.state() == before


def test_a_record_without_a_canonical_form_is_the_artifacts_fault(writer: StoreWriter) -> None:
    with pytest.raises(ArtifactInvalid):
        writer.write([_create("a"), WriteRecord(run_key("a"), "studbook/records/r.json", {"big": 2**60})])
