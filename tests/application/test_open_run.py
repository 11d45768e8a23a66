"""Opening a run by name: a new one each time, complete from its first append, or none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studbook.application.project import Project
from studbook.application.run_handle import RunHandle
from studbook.domain.errors import JournalError, NameInvalid, ParamInvalid, ReservedTag, UndeclaredTag
from studbook.domain.events import Envelope
from studbook.domain.run import Ending, EndReason, RunStatus
from studbook.domain.run_events import ParamsLogged, RunStarted, TagsSet
from studbook.domain.stage import Stage
from studbook.ports.event_log import Happening

from .relay_world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_run_is_opened_with_all_that_was_given_in_one_append(world: World) -> None:
    appends: list[int] = []
    append = world.log.append

    def counted(*happenings: Happening) -> tuple[Envelope, ...]:
        appends.append(len(happenings))
        return append(*happenings)

    world.log.append = counted  # type: ignore[method-assign]
    run = world.open_run()(" mine ", params={"lr": 0.1}, tags={"owner": "me"})
    assert appends == [3]
    started, tags, params = world.events()
    assert isinstance(started, RunStarted)
    assert (started.name, started.stage, started.attempt) == ("mine", Stage.FINAL_TRAINING, 1)
    assert started.experiment == run.experiment == world.project.experiment_of(Stage.FINAL_TRAINING)
    assert (tags, params) == (TagsSet(tags={"owner": "me"}), ParamsLogged(params={"lr": 0.1}))


def test_the_same_name_is_always_a_new_run(world: World) -> None:
    open_run = world.open_run()
    assert open_run("mine").key != open_run("mine").key


def test_a_child_lies_in_its_parents_experiment(world: World) -> None:
    open_run = world.open_run()
    with open_run("parent", stage="hpo_sweep") as parent, open_run("child", stage="benchmark", parent=parent):
        pass
    world.relay().drain()
    child, mother = world.run("child"), world.run("parent")
    assert child.experiment == mother.experiment != world.project.experiment_of(Stage.BENCHMARK)
    assert child.parent_id == mother.run_id
    assert child.tags["studbook.parent_run_key"] == parent.key
    assert child.tags["studbook.stage"] == "benchmark"


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"name": "  "}, NameInvalid),
        ({"name": "n" * 251}, NameInvalid),
        ({"stage": "training"}, NameInvalid),
        ({"params": {"lr": float("inf")}}, ParamInvalid),
        ({"params": {"bad:name": 1}}, ParamInvalid),
        ({"tags": {"studbook.stage": "x"}}, ReservedTag),
        ({"tags": {"owner": "me"}, "stage": "benchmark"}, UndeclaredTag),
    ],
)
def test_what_is_refused_opens_no_run(world: World, given: dict[str, Any], error: type[Exception]) -> None:
    project = Project(user_tags={"owner": frozenset({Stage.FINAL_TRAINING})})
    with pytest.raises(error):
        world.open_run(project)(**{"name": "mine", **given})
    assert world.events() == []


def test_a_run_that_was_not_recorded_is_not_left_open(world: World) -> None:
    open_run = world.open_run()
    world.log.close()
    with pytest.raises(JournalError):
        open_run("mine", params={"lr": 1})
    assert world.events() == []
    open_run.abandon_open()
    assert world.events() == []


def test_what_is_still_open_is_abandoned_children_first(world: World) -> None:
    open_run = world.open_run()
    with open_run("done"):
        pass
    parent = open_run("parent")
    child = open_run("child", parent=parent)
    open_run.abandon_open()
    open_run.abandon_open()
    abandoned = Ending.killed(EndReason.ABANDONED)
    assert (parent.ending, child.ending) == (abandoned, abandoned)
    world.relay().drain()
    assert [world.run(name).status for name in ("done", "parent", "child")] == [
        RunStatus.FINISHED,
        RunStatus.KILLED,
        RunStatus.KILLED,
    ]


def test_runs_opened_by_threads_are_all_known(world: World) -> None:
    open_run = world.open_run()
    handles: list[RunHandle] = []
    start = threading.Barrier(4)

    def open_many() -> None:
        start.wait()
        handles.extend(open_run("mine") for _ in range(25))

    threads = [threading.Thread(target=open_many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    open_run.abandon_open()
    assert len({handle.key for handle in handles}) == 100
    assert all(handle.ending is not None for handle in handles)


def test_a_closed_book_abandons_a_run_without_a_with(open_book: Callable[..., Any]) -> None:
    with open_book() as book:
        run = book.run("mine", params={"lr": 1})
        run.log_metrics({"loss": 1.0})
        store = book.container.tracking_store()
    stored = store.get_run(book.container.ledger().run_id(run.key))
    assert (stored.status, stored.metrics) == (RunStatus.KILLED, {"loss": 1.0})
    assert stored.tags["studbook.end_reason"] == "abandoned"


def test_a_book_that_an_exception_closes_ends_its_runs_as_that_exception(world: World) -> None:
    open_run = world.open_run()
    runs = []
    with pytest.raises(ValueError, match="bad"):  # noqa: PT012  what happens on its way out is the point
        try:
            runs = [open_run("parent"), open_run("other")]
            raise ValueError("bad")
        finally:
            open_run.abandon_open()
    assert [run.ending for run in runs] == [Ending.failed(error="ValueError: bad")] * 2


def test_a_book_that_is_closed_on_a_polite_exit_abandons_its_runs(world: World) -> None:
    open_run = world.open_run()
    run = open_run("mine")
    with pytest.raises(SystemExit):  # noqa: PT012
        try:
            raise SystemExit(0)
        finally:
            open_run.abandon_open()
    assert run.ending == Ending.killed(EndReason.ABANDONED)
