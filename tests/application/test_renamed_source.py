"""Experiments that go by other names at the destination of a migration."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.migration_world import Spec, World, fill, held, nothing, stores
from studbook.application.renamed_source import RenamedSource
from studbook.domain.errors import ExperimentNotFound
from studbook.ports.run_query import ANY_STATUS, RunQuery


def test_runs_come_to_their_new_experiments_and_nothing_else_changes() -> None:
    @given(stores(), st.dictionaries(st.sampled_from(["one", "two"]), st.sampled_from(["one", "two", "new"])))
    def check(specs: list[Spec], names: dict[str, str]) -> None:
        with tempfile.TemporaryDirectory() as stage:
            world = World(Path(stage))
            fill(world.source, world.source_files, specs)
            world.names = {old: new for old, new in names.items() if old in world.source.experiments()}
            world.run()
            world.run()
            assert held(world.store, world.files) == {
                made: (world.names.get(str(experiment), experiment), *rest)
                for made, (experiment, *rest) in held(world.source, world.source_files).items()
            }

    check()


def test_a_run_is_asked_for_by_its_new_name(tmp_path: Path) -> None:
    world = World(tmp_path)
    (run_id,) = fill(world.source, world.source_files, [Spec("horse racing/1")])
    source = RenamedSource(world.source, {"horse racing/1": "racing-1"})
    assert source.get_run(run_id).experiment == "racing-1"
    assert [run.run_id for run in source.find(RunQuery(("racing-1",), ANY_STATUS))] == [run_id]
    assert list(source.find(RunQuery(("horse racing/1",), ANY_STATUS))) == []


def test_an_experiment_that_is_not_there_is_told_before_anything_is_copied(tmp_path: Path) -> None:
    world = World(tmp_path)
    fill(world.source, world.source_files, [Spec("horses")])
    world.names = {"horse": "ponies"}
    with pytest.raises(ExperimentNotFound, match="'horse'") as caught:
        world.migration().copy(nothing)
    assert "'horses'" in caught.value.cure
    assert world.store.experiments() == ()
