"""The catalog: runs of the project by any name that they have, always of the delivered state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studbook.application.project import Project
from studbook.application.run_handle import RunHandle
from studbook.domain.errors import IdentityError, RunNotFound
from studbook.domain.keys import RunKey
from studbook.domain.naming import NamingTemplates
from studbook.domain.run import RunStatus
from studbook.domain.run_events import RunStarted
from studbook.domain.stage import Stage
from studbook.domain.stored_run import Lifecycle
from studbook.domain.vocabulary import DEFAULT_VOCABULARY
from studbook.ports.event_log import Happening
from studbook.ports.run_query import ANY_STATUS, RunQuery
from studbook.ports.tracking_store import NewRun

from .relay_world import RUN_KEY_TAG, World

_OURS = ("run.key", "run.stage", "run.project", "run.attempt", "run.writer", "run.schema")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def run(world: World) -> RunHandle:
    with world.open_run()("mine", params={"lr": 0.1}) as run:
        return run


# --- by name -------------------------------------------------------------------------------------------------


def test_a_run_is_found_by_all_its_names(world: World, run: RunHandle) -> None:
    catalog = world.catalog()
    run_id = run.backend_id()
    names = [run.key, run.key.hex, run.key.hex[:12], run.key[:16], run.key.hex[:32], run.key[:36], run_id]
    for name in [*names, f"run:{run_id}"]:
        assert catalog.resolve(name).ref == run.key, name


def test_a_name_is_looked_up_after_delivery(world: World, run: RunHandle) -> None:
    assert world.runs() == []
    view = world.catalog().resolve(run.key)
    assert (view.name, view.status, view.params) == ("mine", RunStatus.FINISHED, {"lr": "0.1"})


@pytest.mark.parametrize(
    "text", ["0" * 64, f"rk3:{'0' * 64}", "0" * 32, "0" * 12, "run:nothing", "calm_frog_1", ""]
)
def test_a_name_of_nothing_is_not_found(world: World, run: RunHandle, text: str) -> None:
    with pytest.raises(RunNotFound):
        world.catalog().resolve(text)


@pytest.mark.parametrize("text", ["abc", "rk3:abcdef", "0" * 11])
def test_a_name_that_is_too_short_is_told(world: World, text: str) -> None:
    with pytest.raises(RunNotFound, match="too short"):
        world.catalog().resolve(text)


def test_a_text_that_is_no_key_is_told(world: World) -> None:
    with pytest.raises(IdentityError):
        world.catalog().resolve("rk3:not-a-key")


def _begin(world: World, key: RunKey, name: str) -> None:
    event = RunStarted(
        project="studbook",
        stage=Stage.FINAL_TRAINING,
        subject={},
        attempt=1,
        name=name,
        experiment="studbook-x",
        version="0",
    )
    world.clock.advance(1)
    world.log.append(Happening(event, key, world.clock.now_ns()))


def test_an_ambiguous_name_says_what_it_may_mean(world: World) -> None:
    keys = [RunKey(f"rk3:{'ab' * 10}{digit * 44}") for digit in "01"]
    for key in keys:
        _begin(world, key, "n")
    with pytest.raises(RunNotFound, match="2 runs") as caught:
        world.catalog().resolve("ab" * 10)
    assert all(key in caught.value.cure for key in keys)
    assert world.catalog().resolve("ab" * 10 + "1").ref == keys[1]


def test_32_digits_are_a_backend_id_first(world: World, run: RunHandle) -> None:
    run_id = run.backend_id()
    _begin(world, RunKey(f"rk3:{run_id}{'0' * 32}"), "namesake")
    assert world.catalog().resolve(run_id).ref == run.key
    assert world.catalog().resolve(f"rk3:{run_id}").name == "namesake"


def test_a_dashed_backend_id_is_asked_for_as_it_is(world: World, run: RunHandle) -> None:
    dashed = "6f9619ff-8b86-d011-b42d-00c04fc964ff"
    get_run, run_id = world.store.get_run, run.backend_id()
    world.store.get_run = lambda asked: get_run(run_id if asked == dashed else asked)
    assert world.catalog().resolve(dashed).ref == run.key
    assert world.catalog().by_ref(f"run:{dashed}").ref == run.key


def test_a_deleted_run_is_found_and_says_so(world: World, run: RunHandle) -> None:
    world.store.delete_run(run.backend_id())
    catalog = world.catalog()
    for name in (run.key, run.key.hex[:12], run.backend_id()):
        assert catalog.resolve(name).lifecycle is Lifecycle.DELETED
    assert catalog.find_all() == ()
    assert [view.ref for view in catalog.find([Stage.FINAL_TRAINING])] == [run.key]


class _Twice:
    """A store that also holds a repeated creation, put in the bin, of every run."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def find(self, query: RunQuery) -> Any:
        from dataclasses import replace

        for run in self._store.find(query):
            yield replace(run, run_id="repeated", lifecycle=Lifecycle.DELETED)
            yield run


def test_a_repeated_creation_in_the_bin_is_not_taken_for_the_run(world: World, run: RunHandle) -> None:
    run_id = run.backend_id()
    away = World(Path("unused"))
    away.store = _Twice(world.store)
    assert away.catalog().resolve(run.key.hex[:12]).run_id == run_id
    assert away.catalog().by_ref(run.key).run_id == run_id


def test_a_run_of_another_home_is_found_by_its_key(world: World, run: RunHandle) -> None:
    world.relay().drain()
    away = World(Path("unused"))
    away.store = world.store
    view = away.catalog().by_ref(run.key)
    assert view.ref == run.key
    assert world.catalog().is_ours(view)
    assert not away.catalog().is_ours(view)


def test_the_backends_id_of_an_unknown_key_is_not_found(world: World) -> None:
    with pytest.raises(RunNotFound):
        world.catalog().run_id(RunKey.of({"nothing": 1}))


# --- by query ------------------------------------------------------------------------------------------------


def test_only_the_projects_runs_are_found(world: World) -> None:
    projects = [Project(name=name) for name in ("studbook", "studbook-two")]
    for project in projects:
        with world.open_run(project)(f"of {project.name}"):
            pass
    for project in projects:
        found = world.catalog(project).find([Stage.FINAL_TRAINING])
        assert [view.name for view in found] == [f"of {project.name}"]


@pytest.mark.parametrize(
    "template", ["{project}-{group}", "ml-{project}-{group}", "{group}_{project}", "{model}"]
)
def test_runs_are_found_however_experiments_are_named(world: World, template: str) -> None:
    project = Project(naming=NamingTemplates(experiment=template))
    with world.open_run(project)("mine"):
        pass
    assert [view.name for view in world.catalog(project).find_all()] == ["mine"]


def test_runs_are_found_under_the_keys_that_the_project_used_before(world: World) -> None:
    old = Project(vocabulary=DEFAULT_VOCABULARY.remapped({name: f"acme.{name}" for name in _OURS}))
    new = Project(vocabulary=DEFAULT_VOCABULARY.remapped({}, {name: (f"acme.{name}",) for name in _OURS}))
    for name, project in (("old", old), ("new", new)):
        relay = world.relay(vocabulary=project.vocabulary)
        with world.open_run(project)(name, stage="benchmark"):
            world.clock.advance(1)
        relay.drain()
    catalog = world.catalog(new)
    found = catalog.find([Stage.BENCHMARK], flush=False)
    assert [view.name for view in found] == ["old", "new"]
    assert [view.name for view in catalog.find([Stage.BENCHMARK], run_key=found[0].ref)] == ["old"]
    assert catalog.find([Stage.CONVERSION]) == ()
    away = World(Path("unused"))
    away.store = world.store
    assert away.catalog(new).by_ref(found[0].ref).name == "old"


def test_the_one_experiment_of_a_project_is_the_only_one_asked(world: World) -> None:
    project = Project(experiment="mine-only")
    with world.open_run(project)("inside"), world.open_run()("outside"):
        pass
    assert world.catalog(project).experiments() == ("mine-only",)
    assert [view.name for view in world.catalog(project).find_all()] == ["inside"]


def test_finding_asks_for_stage_status_and_tags(world: World) -> None:
    open_run = world.open_run()
    with open_run("a", stage="benchmark"):
        pass
    world.clock.advance(1)
    open_run("b", stage="benchmark")
    open_run("c", stage="conversion")
    catalog = world.catalog()
    assert [view.name for view in catalog.find([Stage.BENCHMARK])] == ["a", "b"]
    running = catalog.find([Stage.BENCHMARK, Stage.CONVERSION], statuses=frozenset({RunStatus.RUNNING}))
    assert [view.name for view in running] == ["b", "c"]
    key = running[0].ref
    assert [view.name for view in catalog.find(tuple(Stage), run_key=key)] == ["b"]


def test_finding_without_a_flush_sees_only_what_was_delivered(world: World, run: RunHandle) -> None:
    assert world.catalog().find(tuple(Stage), flush=False) == ()
    assert len(world.catalog().find(tuple(Stage))) == 1


def test_foreign_runs_are_read_as_they_are(world: World) -> None:
    key = RunKey.of({"foreign": 1})
    tags = {"note": "spill: the beans"}
    run_id = world.store.create_run(NewRun(key, "theirs", "foreign", 1, tags))
    (stored,) = world.catalog().runs(RunQuery(("theirs",), ANY_STATUS))
    assert (stored.run_id, stored.tags) == (run_id, {**tags, RUN_KEY_TAG: key})
    assert world.catalog().by_ref(f"run:{run_id}").tags["note"] == "spill: the beans"
