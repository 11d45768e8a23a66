"""Sweep jobs of a service: their children are read completely, and the same core decides."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.memory.sweep_jobs import MemorySweepJobs
from studbook.adapters.memory.tracking_store import MemoryTrackingStore
from studbook.application.selection_inputs import changed_for_sweeps
from studbook.domain.errors import (
    InvalidInput,
    NoCandidate,
    NoSweepJobs,
    NotASweepJob,
    PolicyInputMissing,
    PolicyInvalid,
    SweepJobNotFound,
    TrackingUnavailable,
)
from studbook.domain.run import RunStatus
from studbook.domain.run_view import KeySchema
from studbook.domain.selection.champions import ChampionReport
from studbook.domain.selection.config import SelectionConfig
from studbook.domain.selection.replay import replay
from studbook.domain.selection.warning import WarningCode
from studbook.domain.stage import Stage
from studbook.domain.store_writes import MetricPoint, RecordBatch
from studbook.domain.stored_run import StoredRun
from studbook.domain.sweep_job import AzureSweep, SweepJob
from studbook.domain.vocabulary import DEFAULT_VOCABULARY
from studbook.entrypoints.studbook import Studbook
from studbook.ports.run_query import RunQuery
from studbook.ports.tracking_store import NewRun

EXPERIMENT = "search"


class Service:
    """A service that runs sweeps by itself: jobs, and runs that no studbook recorded."""

    def __init__(self) -> None:
        self.store = MemoryTrackingStore(run_key_tag=DEFAULT_VOCABULARY.key("run.key"))
        self.jobs = MemorySweepJobs()
        self._made = 0

    def run(self, parent: str | None = None, *, status: RunStatus = RunStatus.FINISHED, **fields: Any) -> str:
        self._made += 1
        tags = {"number": str(self._made), **fields.get("tags", {})}
        run_id = self.store.create_run(
            NewRun(None, EXPERIMENT, f"run {self._made}", self._made, tags, parent, named_by="number")
        )
        points = [
            MetricPoint(name, value, self._made, 0) for name, value in fields.get("metrics", {}).items()
        ]
        self.store.record(run_id, RecordBatch(metrics=tuple(points)))
        if status.terminal:
            self.store.end_run(run_id, status, 10 * self._made)
        return run_id

    def sweep(self, *values: float, best: int | None = None, **tags: str) -> tuple[str, list[str]]:
        """A sweep job that maximizes `acc`, and its children; `best` is the one that the service prefers."""
        name = self.run(tags=tags)
        children = [self.run(name, metrics={"acc": value}) for value in values]
        self.jobs.jobs[name] = SweepJob(
            name, "made-up", "Completed", "acc", "Maximize", None if best is None else children[best]
        )
        return name, children


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def book(service: Service, open_book: Callable[..., Studbook]) -> Studbook:
    """A book on the service's store."""
    return open_book(tracking_store=service.store, sweep_jobs=service.jobs)


def trials(report: ChampionReport) -> list[tuple[str, str]]:
    return [(champion.family, champion.trial) for champion in report.champions]


def test_the_best_child_is_the_champion(book: Studbook, service: Service) -> None:
    name, children = service.sweep(0.7, 0.9, 0.8, best=1)
    report = book.champions(azureml_sweep=name)
    assert trials(report) == [("unknown", f"run:{children[1]}")]
    champion = report.champions[0]
    assert (champion.schema, champion.study_key) == (KeySchema.NATIVE, f"azureml:made-up/{name}")
    assert (champion.metric, champion.value, champion.artifact_run) == ("acc", 0.9, champion.trial)
    assert report.warnings == ()


def test_a_job_that_is_named_twice_is_one_unless_different_things_are_said_of_it(
    book: Studbook, service: Service
) -> None:
    name, children = service.sweep(0.7, 0.9)
    assert trials(book.champions(azureml_sweep=[name, name])) == [("unknown", f"run:{children[1]}")]
    with pytest.raises(InvalidInput, match="twice"):
        book.champions(azureml_sweep=[AzureSweep(name, "svm"), AzureSweep(name, "forest")])


def test_nothing_is_made_by_asking(book: Studbook, service: Service) -> None:
    name, _ = service.sweep(0.7)
    book.champions(azureml_sweep=name)
    book.select(azureml_sweep=name, dry_run=True)
    assert service.store.experiments() == (EXPERIMENT,)


def test_a_child_is_selected_recorded_and_decided_again(book: Studbook, service: Service) -> None:
    name, children = service.sweep(0.7, 0.9, data_version="4")
    decision = book.select(azureml_sweep=name)
    assert decision.result.winner.trial == decision.result.winner.artifact_run == f"run:{children[1]}"
    assert decision.result.winner.tags == {"dataset_version": "4"}
    assert decision.result.inputs.plan.scope.experiments == (EXPERIMENT,)
    run = book.find(decision.ref)
    assert (run.stage, run.status) == (Stage.SELECTION, RunStatus.FINISHED)
    files = book.container.artifact_store()
    body, inputs = (files.read(run.run_id, f"selection/{part}.json") for part in ("selection", "inputs"))
    assert replay(body, inputs).require_identical().winner == decision.result.winner
    assert json.loads(body)["winner"]["tags"] == {"dataset_version": "4"}
    again = book.select(azureml_sweep=name)
    assert (again.ref, again.reused) == (decision.ref, True)


def test_what_the_caller_says_of_a_sweep_holds_for_its_children(book: Studbook, service: Service) -> None:
    (one, of_one), (two, of_two) = service.sweep(0.7, 0.9), service.sweep(0.8, backbone="forest")
    report = book.champions(azureml_sweep=[AzureSweep(one, "svm", "2"), two])
    assert trials(report) == [("forest", f"run:{of_two[0]}"), ("svm", f"run:{of_one[1]}")]
    assert [champion.dataset_version for champion in report.champions] == [None, "2"]
    contradicted = book.champions(azureml_sweep=AzureSweep(two, "svm"))
    assert {warning.code for warning in contradicted.warnings} == {WarningCode.FAMILY_CONFLICT}


def test_the_service_is_compared_and_not_followed(book: Studbook, service: Service) -> None:
    name, children = service.sweep(0.9, 0.8, best=1)
    report, decision = book.champions(azureml_sweep=name), book.select(azureml_sweep=name, dry_run=True)
    assert trials(report)[0][1] == decision.result.winner.trial == f"run:{children[0]}"
    for found in (report.warnings, decision.result.warnings):
        (differs,) = (one for one in found if one.code is WarningCode.SERVICE_BEST_DIFFERS)
        assert children[1] in differs.detail


def test_children_that_studbook_recorded_are_known_by_their_keys_and_may_be_measured(
    book: Studbook, service: Service, clock: ManualClock
) -> None:
    name, _ = service.sweep()
    children = [service.run(name, status=RunStatus.RUNNING, metrics={"acc": value}) for value in (0.9, 0.8)]
    keys = []
    for child in children:
        with book.run("training", adopt=child) as run:
            keys.append(str(run.key))
    book.flush()
    assert trials(book.champions(azureml_sweep=name)) == [("unknown", keys[0])]
    with pytest.raises(PolicyInputMissing, match="latency"):
        book.select("accuracy_latency", azureml_sweep=name)
    for key in keys:
        book.benchmark(key, lambda _: clock.advance(0.002), {1: [1]}, warmup=1, iterations=3)
    result = book.select("accuracy_latency", azureml_sweep=name).result
    assert result.winner.trial in keys
    assert {contender.ref for contender in result.ranking} == set(keys)
    assert all("latency" in contender.values for contender in result.ranking)


def test_runs_elsewhere_and_below_the_children_take_no_part(book: Studbook, service: Service) -> None:
    name, children = service.sweep(0.7)
    service.run(children[0], metrics={"acc": 1.0})
    service.sweep(0.99)
    service.run(metrics={"acc": 1.0})
    assert trials(book.champions(azureml_sweep=name)) == [("unknown", f"run:{children[0]}")]


def test_children_in_the_bin_or_not_finished_are_told(book: Studbook, service: Service) -> None:
    name, children = service.sweep(0.9, 0.8)
    service.store.delete_run(children[0])
    running = service.run(name, status=RunStatus.RUNNING, metrics={"acc": 1.0})
    report = book.champions(azureml_sweep=name)
    assert trials(report) == [("unknown", f"run:{children[1]}")]
    assert {found.ref: str(found.reason) for found in report.rejected} == {
        f"run:{children[0]}": "DELETED",
        f"run:{running}": "NOT_FINISHED",
    }


def test_children_are_asked_for_as_they_are_now(
    book: Studbook, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, _ = service.sweep(0.7)
    asked: list[RunQuery] = []
    find = service.store.find

    def noted(query: RunQuery) -> Iterator[StoredRun]:
        asked.append(query)
        return find(query)

    monkeypatch.setattr(service.store, "find", noted)
    book.champions(azureml_sweep=name)
    assert [(query.parent_id, query.fresh) for query in asked] == [(name, True)]


def test_children_that_cannot_all_be_read_are_an_error(
    book: Studbook, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, _ = service.sweep(0.9, 0.8)
    find = service.store.find

    def breaks_off(query: RunQuery) -> Iterator[StoredRun]:
        yield next(find(query))
        raise TrackingUnavailable("it broke", cure="repeat")

    monkeypatch.setattr(service.store, "find", breaks_off)
    with pytest.raises(TrackingUnavailable):
        book.champions(azureml_sweep=name)


def test_a_sweep_without_children_is_no_candidate(book: Studbook, service: Service) -> None:
    name, _ = service.sweep()
    for ask in (book.champions, book.select):
        with pytest.raises(NoCandidate, match="Completed, and has no children"):
            ask(azureml_sweep=name)


def test_a_job_that_is_none_is_told(book: Studbook, service: Service) -> None:
    service.jobs.jobs["training"] = None
    service.jobs.jobs["queued"] = SweepJob("queued", "made-up", "Queued", "acc", "Maximize")
    with pytest.raises(SweepJobNotFound, match="absent"):
        book.champions(azureml_sweep="absent")
    with pytest.raises(NotASweepJob, match="training"):
        book.champions(azureml_sweep="training")
    with pytest.raises(SweepJobNotFound, match="Queued, and has no run yet"):
        book.champions(azureml_sweep="queued")


def test_only_a_workspace_has_sweep_jobs(open_book: Callable[..., Studbook]) -> None:
    with pytest.raises(NoSweepJobs, match="memory"):
        open_book().champions(azureml_sweep="hill")


# --- settings


CONFIGURED = {
    "scope": {
        "studies": ["0123456789ab"],
        "experiments": ["ours"],
        "schemas": ["v2"],
        "since": "2020-01-01T00:00:00Z",
    },
    "champions": {"min_trials": 5},
    "refit": {"accept_missing_protocol": False},
    "policy": "accuracy_latency",
    "noise_z": 2.0,
}


def test_a_sweep_is_its_own_scope_and_the_rest_is_as_configured() -> None:
    found = changed_for_sweeps(SelectionConfig.parse(CONFIGURED), {})
    assert (found.scope.experiments, found.scope.studies) == ((), ())
    assert (found.scope.schemas, found.scope.since_ms) == ((KeySchema.V2, KeySchema.NATIVE), 1577836800000)
    assert (found.champions.min_trials, found.champions.top_k) == (1, 1)
    assert (str(found.refit.requirement), found.refit.accept_missing_protocol) == ("trial", False)
    assert (found.policy, found.noise_z) == ("best_metric", 2.0)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"policy": "threshold_fastest"}, "threshold_fastest"),
        ({"champions": {"min_trials": 2}}, (2, 1)),
        ({"scope": {"schemas": ["native"]}}, ("native",)),
        ({"scope": {"families": ["svm"]}}, ("v2", "native")),
        ({"refit": {"requirement": "preferred"}}, "preferred"),
    ],
)
def test_the_caller_has_the_last_word(changes: Mapping[str, Any], expected: object) -> None:
    found = changed_for_sweeps(SelectionConfig.parse(CONFIGURED), changes)
    told = {
        "policy": found.policy,
        "champions": (found.champions.min_trials, found.champions.top_k),
        "scope": tuple(str(schema) for schema in found.scope.schemas),
        "refit": str(found.refit.requirement),
    }
    assert [told[section] for section in changes] == [expected]


@pytest.mark.parametrize("changes", [{"scope": {"experiments": ["a"]}}, {"scope": None}, {"champion": {}}])
def test_settings_that_make_no_sense_are_refused(changes: Mapping[str, Any]) -> None:
    with pytest.raises(PolicyInvalid):
        changed_for_sweeps(SelectionConfig(), changes)
