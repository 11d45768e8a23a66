"""A migration copies everything once, wherever it is stopped; and it tells what differs."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from application.migration_world import (
    BOTH,
    MARK,
    Fate,
    Killed,
    Spec,
    World,
    fill,
    held,
    nothing,
    stores,
)
from studbook.adapters.memory.artifact_store import MemoryArtifactStore
from studbook.adapters.memory.migration_ledger import MemoryMigrationLedger
from studbook.adapters.memory.tracking_store import MemoryTrackingStore
from studbook.application.tag_room import with_all_tags
from studbook.domain.errors import (
    ExperimentDeleted,
    MigrationBusy,
    NameInvalid,
    SameStore,
    TrackingUnavailable,
)
from studbook.domain.run import RunStatus
from studbook.domain.store_writes import MetricPoint, RecordBatch
from studbook.domain.stored_run import Lifecycle, StoredRun
from studbook.domain.vocabulary import DEFAULT_VOCABULARY
from studbook.ports.capabilities import Capabilities
from studbook.ports.contract.tracking_examples import START
from studbook.ports.migration_ledger import Copy
from studbook.ports.run_query import ANY_STATUS, RunQuery
from studbook.ports.tracking_store import NewRun

TIGHT = Capabilities(
    metrics_per_batch=3,
    metrics_per_run=2,
    params_per_run=2,
    tags_per_run=50,
    param_value_length=500,
    tag_value_length=1000,
    overwrites_artifacts=False,
)
FULL = Spec(
    params={"lr": "0.1"},
    tags={"team": "a"},
    points=tuple(MetricPoint("loss", i / 4, START + i, i) for i in range(9)),
    files={"dir/a.txt": b"text", "b.bin": bytes(range(256))},
    ended=START + 5,
)


class LateSearch(MemoryTrackingStore):
    """Its search has not seen the metrics yet; who asks for fresh runs gets them."""

    def find(self, query: RunQuery) -> Iterator[StoredRun]:
        for run in super().find(query):
            yield run if query.fresh else replace(run, metrics={})


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "stage")


def copies(world: World) -> list[StoredRun]:
    return list(world.store.find(RunQuery(world.store.experiments(), ANY_STATUS, lifecycles=BOTH)))


class TestEverythingIsCopied:
    def test_whatever_a_store_holds_the_copy_holds(self) -> None:
        @given(stores(), st.booleans())
        def check(specs: list[Spec], deleted: bool) -> None:
            with tempfile.TemporaryDirectory() as stage:
                world = World(Path(stage))
                fill(world.source, world.source_files, specs)
                world.run(deleted=deleted)
                ours = held(world.source, world.source_files, deleted=deleted)
                theirs = held(world.store, world.files)
                assert {made: theirs[made] for made in ours} == ours
                assert world.store.experiments() == world.source.experiments()

        check()

    def test_twice_is_once(self) -> None:
        @given(stores(), st.booleans())
        def check(specs: list[Spec], lost: bool) -> None:
            with tempfile.TemporaryDirectory() as stage:
                world = World(Path(stage))
                fill(world.source, world.source_files, specs)
                world.run()
                before = held(world.store, world.files), [run.run_id for run in copies(world)]
                if lost:
                    world.ledger = MemoryMigrationLedger()
                world.run()
                assert (held(world.store, world.files), [run.run_id for run in copies(world)]) == before

        check()

    def test_stopped_at_any_write_and_called_again_is_once(self) -> None:
        @settings(suppress_health_check=[HealthCheck.too_slow])
        @given(stores(most=3), st.integers(1, 60), st.booleans(), st.booleans(), st.booleans())
        def check(specs: list[Spec], at: int, done_first: bool, lost: bool, deleted: bool) -> None:
            with tempfile.TemporaryDirectory() as stage:
                world = World(Path(stage))
                fill(world.source, world.source_files, specs)
                fate = Fate(at, done_first)
                try:
                    world.migration(fate=fate, deleted=deleted).copy(nothing)
                except Killed:
                    pass
                else:
                    assert fate.writes < at
                if lost:
                    world.ledger = MemoryMigrationLedger()
                world.run(deleted=deleted)
                ours, theirs = held(world.source, world.source_files), held(world.store, world.files)
                assert {made: ours[made] for made in theirs} == theirs
                world.run()
                assert held(world.store, world.files) == ours
                assert len(copies(world)) == len(specs)

        check()

    def test_what_a_tight_destination_cannot_hold_is_spilled_and_read_back_whole(self) -> None:
        @given(stores(most=3))
        def check(specs: list[Spec]) -> None:
            with tempfile.TemporaryDirectory() as stage:
                world = World(Path(stage), TIGHT)
                fill(world.source, world.source_files, specs)
                world.run()
                world.run()
                assert held(world.store, world.files) == held(world.source, world.source_files)

        check()

    def test_more_tags_than_a_destination_takes_are_kept_together(self, tmp_path: Path) -> None:
        world = World(tmp_path, TIGHT)
        tags = {f"t{number}": str(number) for number in range(60)}
        fill(world.source, world.source_files, [Spec(tags=tags)])
        world.run()
        (copy,) = copies(world)
        assert len(copy.tags) <= 50
        assert tags.items() <= with_all_tags(copy, DEFAULT_VOCABULARY).tags.items()

    def test_an_experiment_without_runs_is_made_too(self, world: World) -> None:
        world.source.ensure_experiment("empty")
        world.run()
        assert world.store.experiments() == ("empty",)

    def test_a_parent_in_the_bin_comes_along_with_its_child(self, world: World) -> None:
        fill(world.source, world.source_files, [Spec(deleted=True, params={"p": "1"}), Spec(parent=0)])
        world.run(deleted=False)
        child = next(run for run in copies(world) if run.parent_id)
        assert child.parent_id is not None
        parent = world.store.get_run(child.parent_id)
        assert (parent.lifecycle, parent.params) == (Lifecycle.DELETED, {"p": "1"})
        world.run()
        assert len(copies(world)) == 2

    def test_a_run_without_a_name_or_an_end_time_is_equal_to_its_copy(self, world: World) -> None:
        (made,) = fill(world.source, world.source_files, [Spec(name="")])
        world.run()
        assert [run.name for run in copies(world)] == [made]

    def test_what_the_source_gains_meanwhile_is_copied_the_next_time(self, world: World) -> None:
        ended, running = fill(world.source, world.source_files, [FULL, Spec(status=RunStatus.RUNNING)])
        world.run()
        world.source.record(ended, RecordBatch(tags={"mlflow.note.content": "the good one"}))
        world.source.record(running, RecordBatch(metrics=(MetricPoint("m", 1.0, START, 0),)))
        world.source.end_run(running, RunStatus.KILLED, START + 9)
        world.run()
        assert held(world.store, world.files) == held(world.source, world.source_files)

    def test_metrics_that_the_search_of_the_source_does_not_show_yet_are_copied(self, world: World) -> None:
        world.source = LateSearch(run_key_tag=DEFAULT_VOCABULARY.key("run.key"))
        fill(world.source, world.source_files, [FULL])
        world.run()
        (copy,) = copies(world)
        assert copy.metrics == {"loss": 2.0}

    def test_two_sources_with_the_same_ids_do_not_collide(self, world: World, tmp_path: Path) -> None:
        other = World(tmp_path / "other", destination=(world.store, world.files))
        fill(world.source, world.source_files, [FULL, Spec(parent=0)])
        fill(other.source, other.source_files, [Spec(name="of the other"), Spec(parent=0)])
        world.run()
        other.run(source_id="elsewhere")
        world.run()
        assert len(copies(world)) == 4
        by_mark = {run.tags[MARK]: run for run in copies(world)}
        for run in copies(world):
            if run.parent_id:
                store = run.tags[MARK].partition("/")[0]
                assert world.store.get_run(run.parent_id).tags[MARK].startswith(store)
        assert len(by_mark) == 4

    def test_a_copy_can_be_copied_on(self, world: World, tmp_path: Path) -> None:
        fill(world.source, world.source_files, [FULL])
        world.run()
        onward = World(tmp_path / "onward")
        onward.source, onward.source_files = world.store, world.files  # type: ignore[assignment]
        onward.run(source_id="halfway")
        assert held(onward.store, onward.files) == held(world.source, world.source_files)


class TestWhatIsRefused:
    def test_one_store_under_two_names_is_refused(self, world: World) -> None:
        fill(world.source, world.source_files, [FULL])
        same = World(world.stage, destination=(world.source, world.source_files))
        same.source, same.source_files = world.source, world.source_files
        with pytest.raises(SameStore):
            world.migration(source_id="there")
        for act in (same.migration().copy, same.migration().verify, lambda _: same.migration().plan()):
            with pytest.raises(SameStore):
                act(nothing)

    def test_a_deleted_experiment_stops_it_before_anything_is_copied(self, world: World) -> None:
        fill(world.source, world.source_files, [Spec(experiment="a"), Spec(experiment="b")])
        world.store.ensure_experiment("b")
        world.store.delete_experiment("b")  # type: ignore[attr-defined]
        with pytest.raises(ExperimentDeleted, match="'b'"):
            world.migration().copy(nothing)
        assert copies(world) == []

    def test_names_that_the_destination_does_not_take_are_told_all_at_once(self, tmp_path: Path) -> None:
        world = World(tmp_path, replace(TIGHT, experiment_names="[a-z-]+"))
        fill(world.source, world.source_files, [Spec("horses/1"), Spec("fine"), Spec("my horses")])
        for ask in (world.migration().plan, partial(world.migration().copy, nothing)):
            with pytest.raises(NameInvalid) as caught:
                ask()
            assert caught.value.details["experiments"] == ["horses/1", "my horses"]
            assert "--rename" in caught.value.cure
        assert world.store.experiments() == ()
        world.names = {"horses/1": "horses", "my horses": "horses"}
        world.run()
        assert world.store.experiments() == ("fine", "horses")

    def test_only_one_process_copies_at_a_time(self, world: World) -> None:
        fill(world.source, world.source_files, [FULL])
        with world.locks.hold("migrate-here-to-there", 0.0), pytest.raises(MigrationBusy):
            world.migration().copy(nothing)

    def test_a_run_that_is_refused_is_told_of_and_the_others_go_on(self, tmp_path: Path) -> None:
        world = World(tmp_path, Capabilities(param_name_length=3))
        refused, _ = fill(world.source, world.source_files, [Spec(params={"long": "1"}), FULL])
        copied = world.migration().copy(nothing)
        assert [(each.run_id, "4 characters" in each.problem) for each in copied.failed] == [(refused, True)]
        assert copied.copied == 1
        (difference,) = world.migration().verify(nothing).differences
        assert difference.run_id == refused

    def test_a_copy_in_the_bin_is_told_of(self, world: World) -> None:
        (source,) = fill(world.source, world.source_files, [FULL])
        world.run()
        world.store.delete_run(copies(world)[0].run_id)
        world.ledger = MemoryMigrationLedger()
        (failed,) = world.migration().copy(nothing).failed
        assert (failed.run_id, "deleted" in failed.problem) == (source, True)
        (difference,) = world.migration().verify(nothing).differences
        assert any("lifecycle" in line for line in difference.what)

    def test_a_side_that_does_not_serve_is_asked_again_and_then_told_of(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill(world.source, world.source_files, [FULL])
        left = 3
        record = world.store.record

        def failing(run_id: str, batch: RecordBatch) -> None:
            nonlocal left
            left -= 1
            if left >= 0:
                raise TrackingUnavailable("not now", cure="wait", retry_after_s=30.0)
            record(run_id, batch)

        before = world.clock.now_ns()
        monkeypatch.setattr(world.store, "record", failing)
        world.run()
        assert world.clock.now_ns() - before >= 90e9
        left = 1000
        world.source.record(
            next(iter(world.source.find(RunQuery(("one",), ANY_STATUS)))).run_id,
            RecordBatch(tags={"new": "1"}),
        )
        with pytest.raises(TrackingUnavailable):
            world.migration().copy(nothing)


class TestVerification:
    @pytest.mark.parametrize(
        ("spoil", "told"),
        [
            (lambda w, run: w.store.record(run, RecordBatch(params={"more": "1"})), "param 'more'"),
            (lambda w, run: w.store.record(run, RecordBatch(tags={"team": "b"})), "tag 'team' is 'b'"),
            (
                lambda w, run: w.store.record(run, RecordBatch(metrics=(MetricPoint("loss", 9.0, 1, 1),))),
                "metric 'loss' is '10 points",
            ),
            (lambda w, run: w.files.runs[run].update({"dir/a.txt": b"TEXT"}), "file 'dir/a.txt'"),
            (lambda w, run: w.files.runs[run].pop("b.bin"), "file 'b.bin' is missing"),
        ],
    )
    def test_what_became_of_a_copy_is_told_and_a_file_mended(
        self, world: World, spoil: Callable[[World, str], object], told: str
    ) -> None:
        fill(world.source, world.source_files, [FULL, Spec()])
        world.run()
        copy = next(run for run in copies(world) if run.params)
        spoil(world, copy.run_id)
        verified = world.migration().verify(nothing)
        (difference,) = verified.differences
        assert (difference.copy_id, verified.equal) == (copy.run_id, False)
        assert difference.source_digest != difference.destination_digest
        assert any(told in line for line in difference.what), difference.what
        if "file" in told:
            world.run()

    def test_counts_and_digests_are_of_both_sides(self, world: World) -> None:
        fill(
            world.source, world.source_files, [FULL, Spec(), Spec(status=RunStatus.FAILED, experiment="two")]
        )
        before = world.migration().verify(nothing)
        assert [(each.name, each.source, each.destination) for each in before.experiments] == [
            ("one", {"FINISHED": 2}, {}),
            ("two", {"FAILED": 1}, {}),
        ]
        assert [each.what for each in before.differences] == [("no copy",)] * 3
        world.run()
        after = world.migration().verify(nothing)
        assert all(each.source == each.destination for each in after.experiments)
        assert after.runs == 3

    def test_a_copy_whose_source_is_gone_is_told_of(self, world: World) -> None:
        gone, _ = fill(world.source, world.source_files, [Spec(), Spec(name="stays")])
        world.run(deleted=False)
        world.source.delete_run(gone)
        (difference,) = world.migration(deleted=False).verify(nothing).differences
        assert difference.run_id is None
        assert gone in difference.what[0]

    def test_a_second_copy_is_told_of(self, world: World) -> None:
        fill(world.source, world.source_files, [Spec()])
        world.run()
        (copy,) = copies(world)
        twin = world.store.create_run(NewRun(None, "one", "twin", START, {"t": "1"}, named_by="t"))
        world.store.record(twin, RecordBatch(tags={MARK: copy.tags[MARK]}))
        (difference,) = world.migration().verify(nothing).differences
        assert "second copy" in difference.what[0]
        world.store.delete_run(twin)
        world.run()

    def test_a_value_that_was_lost_at_the_source_is_that_runs_trouble_only(self, world: World) -> None:
        lost = f"spill:sha256:{'0' * 64}"
        fill(world.source, world.source_files, [Spec(tags={"long": lost}), FULL])
        copied = world.migration().copy(nothing)
        assert (len(copied.failed), copied.copied) == (1, 1)
        (difference,) = world.migration().verify(nothing).differences
        assert "cannot be read" in difference.what[0]


def blocked(stage: Path) -> World:
    """The first copy's upload broke off, in a store that writes a file once."""
    world = World(stage, TIGHT)
    ids = fill(world.source, world.source_files, [FULL, Spec(name="child", parent=0, ended=START + 9)])
    world.run()
    (first,) = (run for run in copies(world) if run.parent_id is None)
    assert isinstance(world.files, MemoryArtifactStore)
    del world.files.runs[first.run_id]["b.bin"]
    world.files.taken[first.run_id] = {"b.bin"}
    world.ledger.put(ids[0], Copy(first.run_id))
    return world


def test_a_name_that_a_died_upload_took_at_the_destination_makes_another_copy(tmp_path: Path) -> None:
    world = blocked(tmp_path / "stage")
    world.run()
    assert sorted(run.lifecycle for run in copies(world)) == ["active", "active", "deleted"]
    assert world.migration().copy(nothing).copied == 0


@pytest.mark.parametrize("done_first", [False, True])
def test_it_may_be_stopped_at_any_write_of_the_other_copy(tmp_path: Path, *, done_first: bool) -> None:
    fate = Fate()
    while fate.writes >= fate.at:
        world, fate = blocked(tmp_path / str(fate.at)), Fate(fate.at + 1, done_first)
        with contextlib.suppress(Killed):
            world.migration(fate=fate).copy(nothing)
        world.run()
        assert sorted(run.lifecycle for run in copies(world)) == ["active", "active", "deleted"], fate
    assert fate.writes > 8


def test_a_file_that_changed_at_the_source_is_brought_to_a_store_that_writes_it_once(tmp_path: Path) -> None:
    world = World(tmp_path / "stage", TIGHT)
    (run_id,) = fill(world.source, world.source_files, [replace(FULL, status=RunStatus.RUNNING, ended=None)])
    world.run()
    world.source_files.runs[run_id]["b.bin"] = b"later"
    world.run()


def test_names_that_uploads_left_without_bytes_are_no_files(world: World) -> None:
    (run_id,) = fill(world.source, world.source_files, [FULL])
    world.source_files.taken[run_id] = {"dir/died.bin"}
    world.run()
    (copy,) = copies(world)
    assert {file.path for file in world.files.list_files(copy.run_id)} == set(FULL.files)


class TestPlan:
    def test_a_plan_counts_and_writes_nothing(self, world: World) -> None:
        fill(world.source, world.source_files, [FULL, Spec(), Spec(deleted=True)])
        (plan,) = world.migration(deleted=False).plan()
        assert (plan.runs, plan.to_copy) == ({"FINISHED": 2}, 2)
        assert world.store.experiments() == ()
        world.run(deleted=False)
        assert [each.to_copy for each in world.migration(deleted=False).plan()] == [0]
        assert [each.to_copy for each in world.migration(deleted=True).plan()] == [1]


def test_nothing_is_left_of_files_on_their_way(world: World) -> None:
    fill(world.source, world.source_files, [FULL])
    world.run()
    assert list(world.stage.iterdir()) == []
