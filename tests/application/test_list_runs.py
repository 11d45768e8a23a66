"""Listing: the same runs whoever filters them, in the order that was asked for, and no more read than needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studbook.application.list_runs import ListRuns, Sorting
from studbook.application.spill import spill
from studbook.domain.errors import ExperimentNotFound, KeyAmbiguous, KeyReferenceInvalid
from studbook.domain.run import RunStatus
from studbook.domain.run_columns import Column
from studbook.domain.run_filter import MetricBound, RunFilter
from studbook.domain.run_view import RunView
from studbook.domain.stage import Stage
from studbook.domain.store_writes import MetricPoint, RecordBatch
from studbook.domain.stored_run import Lifecycle, StoredRun
from studbook.ports.contract.tracking_examples import fresh_key
from studbook.ports.run_query import ANY_STATUS, RunQuery
from studbook.ports.tracking_store import NewRun

from .relay_world import World

_STUDIES = ("sk3:" + "ab" * 32, "sk3:" + "abababababab" + "cd" * 26, "sk3:" + "0" * 64)
_LONG = "v" * 7000
EVERYTHING = RunFilter(lifecycles=frozenset(Lifecycle))


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Twelve runs: two a second, of four stages, three studies and two families."""
    world = World(tmp_path)
    project = world.project
    stages = (Stage.SWEEP, Stage.TRIAL, Stage.REFIT, Stage.TRIAL)
    for number in range(12):
        stage, study = stages[number % 4], number % 3
        typed = {
            "run.schema": 3,
            "run.stage": stage,
            "run.project": project.name,
            "study.key": _STUDIES[study],
            "study.model_family": ("svm", "mlp")[number % 2],
        }
        if stage is Stage.SWEEP:
            typed["study.name"] = ("digits", "digits", "letters")[study]
        tags = dict(project.vocabulary.write(name, value, stage) for name, value in typed.items())
        run_id = world.store.create_run(
            NewRun(fresh_key(), project.experiment_of(stage), f"r{number}", 1000 * (number // 2), tags)
        )
        params = {"p": str(number % 5), "long": _LONG} if number % 3 else {}
        point = MetricPoint("f1", number / 12, 1, 0)
        metrics = (point,) if number % 4 else ()
        batch = RecordBatch(params, metrics, {"team": "ab"[number % 2]})
        limits = world.store.capabilities
        world.store.record(run_id, spill(batch, run_id, limits, world.artifacts))
        if number % 6:
            world.store.end_run(run_id, RunStatus.FINISHED, 99_000)
        if number == 11:
            world.store.delete_run(run_id)
    return world


def listing(world: World) -> ListRuns:
    return ListRuns(world.catalog())


def names(found: Iterator[RunView]) -> list[str]:
    return [each.name for each in found]


FILTERS = st.builds(
    RunFilter,
    stages=st.sets(st.sampled_from([Stage.SWEEP, Stage.TRIAL, Stage.REFIT]), min_size=1).map(frozenset),
    statuses=st.sampled_from([frozenset(RunStatus), frozenset({RunStatus.FINISHED})]),
    lifecycles=st.sampled_from([frozenset(Lifecycle), frozenset({Lifecycle.ACTIVE})]),
    family=st.sampled_from([None, "svm"]),
    studies=st.none() | st.sets(st.sampled_from(_STUDIES)).map(frozenset),
    since_ms=st.none() | st.integers(0, 6000),
    until_ms=st.none() | st.integers(0, 6000),
    metrics=st.sampled_from([(), (MetricBound("f1", ">", 0.4),), (MetricBound("absent", "<", 1.0),)]),
    tags=st.sampled_from([{}, {"team": "a"}, {"team": "c"}]),
    params=st.sampled_from([{}, {"p": "1"}, {"long": _LONG}]),
)


def test_what_the_store_finds_and_what_is_filtered_here_is_one(world: World) -> None:
    everything = list(listing(world)(EVERYTHING))
    assert len(everything) == 12
    by_start = sorted(everything, key=lambda run: (-run.started_at, run.run_id))

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(FILTERS, st.booleans(), st.none() | st.integers(1, 5))
    def check(wanted: RunFilter, descending: bool, limit: int | None) -> None:
        expected = [run.name for run in everything if wanted.matches(run)]
        found = names(listing(world)(wanted, limit=limit))
        assert found == (expected if limit is None else expected[-limit:])
        newest_first = names(listing(world)(wanted, sorting=Sorting(descending=True), limit=limit))
        assert newest_first == [run.name for run in by_start if wanted.matches(run)][:limit]
        column = Column.parse("metrics.f1")
        by_metric = names(listing(world)(wanted, sorting=Sorting(column, descending), limit=limit))
        ordered = sorted(
            (run for run in everything if wanted.matches(run)),
            key=lambda run: column.sort_key(run, descending=descending),
        )
        assert by_metric == [run.name for run in ordered][:limit]

    check()


def test_runs_are_read_only_as_far_as_they_are_asked_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    find = world.store.find

    def counted(query: RunQuery) -> Iterator[StoredRun]:
        for run in find(query):
            read.append(run.name)
            yield run

    monkeypatch.setattr(world.store, "find", counted)
    assert next(listing(world)(RunFilter())).name in ("r0", "r1")
    assert len(read) <= 2
    read.clear()
    assert len(names(listing(world)(RunFilter(), limit=3))) == 3
    assert len(read) <= 5
    read.clear()
    assert len(names(listing(world)(RunFilter(until_ms=2000)))) == 4
    assert len(read) <= 6


def test_experiments_may_be_named(world: World) -> None:
    (name, *_) = sorted({run.experiment for run in world.runs()})
    expected = [r.name for r in world.store.find(RunQuery((name,), ANY_STATUS))]
    assert names(listing(world)(RunFilter(), experiments=(name,))) == expected
    with pytest.raises(ExperimentNotFound) as misspelt:
        listing(world)(RunFilter(), experiments=(f"{name}x",))
    assert repr(name) in misspelt.value.cure
    with pytest.raises(ExperimentNotFound):
        listing(world)(RunFilter(), experiments=(name, "no such"))


def test_a_deleted_experiment_is_listed_only_with_what_is_in_the_bin(world: World) -> None:
    (name, *_) = sorted({run.experiment for run in world.runs()})
    world.store.delete_experiment(name)
    with pytest.raises(ExperimentNotFound):
        listing(world)(RunFilter(), experiments=(name,))
    assert names(listing(world)(EVERYTHING, experiments=(name,)))


@pytest.mark.parametrize(
    ("given_", "found"),
    [
        (_STUDIES[0], {0}),
        ("ab" * 32, {0}),
        ("abababababab" + "c", {1}),
        ("sk3:" + "0" * 12, {2}),
        ("digits", {0, 1}),
        ("letters", {2}),
        ("no such study", set()),
        ("f" * 12, set()),
    ],
)
def test_a_study_is_meant_by_key_digits_or_name(world: World, given_: str, found: set[int]) -> None:
    assert listing(world).studies(given_) == {_STUDIES[number] for number in found}


def test_what_means_no_study_or_several_is_told(world: World) -> None:
    with pytest.raises(KeyAmbiguous):
        listing(world).studies("abababababab")
    for given_ in ("tk3:" + "0" * 64, "0123456789a", "sk3:abc"):
        with pytest.raises(KeyReferenceInvalid):
            listing(world).studies(given_)
