"""The tracking store's suite is worth what it refuses: each planted bug breaks a promise that it names."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from random import Random

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from studbook.adapters.memory.tracking_store import MemoryTrackingStore
from studbook.domain.errors import ParamRefused, RunDeleted, RunEnded, RunNotFound, TrackingRefused
from studbook.domain.run import RunStatus
from studbook.domain.store_writes import MetricPoint, RecordBatch
from studbook.domain.stored_run import Lifecycle, StoredRun
from studbook.ports.capabilities import Capabilities
from studbook.ports.contract.tracking_examples import RUN_KEY_TAG, fresh_key
from studbook.ports.contract.tracking_store import TrackingStoreContract
from studbook.ports.contract.tracking_store_machine import TrackingStoreMachine
from studbook.ports.contract.violations import violations
from studbook.ports.run_query import RunQuery
from studbook.ports.tracking_store import NewRun, TrackingStore


class Healthy(MemoryTrackingStore):
    """The fake as it is."""

    def __init__(self) -> None:
        super().__init__(
            Capabilities(search_page=3, params_per_run=300, tags_per_run=300), run_key_tag=RUN_KEY_TAG
        )


class LosesTheSecondPage(Healthy):
    def find(self, query: RunQuery) -> Iterator[StoredRun]:
        return islice(super().find(query), self.capabilities.search_page)


class GivesARunTwice(Healthy):
    def find(self, query: RunQuery) -> Iterator[StoredRun]:
        runs = list(super().find(query))
        return iter(runs + runs[-1:])


class Unsorted(Healthy):
    def find(self, query: RunQuery) -> Iterator[StoredRun]:
        runs = list(super().find(query))
        Random(0).shuffle(runs)
        return iter(runs)


class TiesByArrival(Healthy):
    def find(self, query: RunQuery) -> Iterator[StoredRun]:
        arrival = list(self._runs)
        runs = super().find(replace(query, limit=None))
        key = {run.run_id: query.sort_key(run)[0] for run in super().find(replace(query, limit=None))}
        return islice(sorted(runs, key=lambda run: (key[run.run_id], arrival.index(run.run_id))), query.limit)


class IgnoresStatuses(Healthy):
    def find(self, query: RunQuery) -> Iterator[StoredRun]:
        return super().find(replace(query, statuses=frozenset(RunStatus)))


class FindsTheDeleted(Healthy):
    def find(self, query: RunQuery) -> Iterator[StoredRun]:
        return super().find(replace(query, lifecycles=frozenset(Lifecycle)))


class IgnoresParams(Healthy):
    def find(self, query: RunQuery) -> Iterator[StoredRun]:
        return super().find(replace(query, params={}))


class IgnoresTheParent(Healthy):
    def find(self, query: RunQuery) -> Iterator[StoredRun]:
        return super().find(replace(query, parent_id=None))


class IgnoresCase(Healthy):
    def find(self, query: RunQuery) -> Iterator[StoredRun]:
        def lower(texts: dict[str, str]) -> dict[str, str]:
            return {key: value.lower() for key, value in texts.items()}

        bare = replace(query, tags={}, params={}, limit=None)
        return (
            run
            for run in super().find(bare)
            if lower(query.tags).items() <= lower(run.tags).items()
            and lower(query.params).items() <= lower(run.params).items()
        )


class FiltersAfterTheLimit(Healthy):
    def find(self, query: RunQuery) -> Iterator[StoredRun]:
        first = islice(super().find(RunQuery(query.experiments, frozenset(RunStatus))), query.limit)
        return (query.select_fields(run) for run in first if query.matches(run))


class SeesNanAsAbsent(Healthy):
    def find(self, query: RunQuery) -> Iterator[StoredRun]:
        runs = super().find(query)
        return (
            run for run in runs if not any(math.isnan(run.metrics.get(m, 0.0)) for m in query.has_metrics)
        )


class ReturnsAllFields(Healthy):
    def find(self, query: RunQuery) -> Iterator[StoredRun]:
        return super().find(replace(query, tag_fields=None, param_fields=None, metric_fields=None))


class StaleFields(Healthy):
    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[str, StoredRun] = {}

    def find(self, query: RunQuery) -> Iterator[StoredRun]:
        return (self._seen.setdefault(run.run_id, run) for run in super().find(query))


class CreatesTwice(Healthy):
    def create_run(self, new: NewRun) -> str:
        return super().create_run(replace(new, run_key=fresh_key()))


class RevivesTheDeleted(Healthy):
    def create_run(self, new: NewRun) -> str:
        with suppress(RunDeleted):
            return super().create_run(new)
        return super().create_run(replace(new, run_key=fresh_key()))


class AdoptsNone(Healthy):
    def create_run(self, new: NewRun) -> str:
        return super().create_run(replace(new, adopt=None))


class AdoptsOnce(Healthy):
    def create_run(self, new: NewRun) -> str:
        taken = new.adopt in self._runs and self._runs[new.adopt].tags[RUN_KEY_TAG] != ""
        return super().create_run(replace(new, adopt=None if taken else new.adopt))


class AdoptsByIdAlone(Healthy):
    def create_run(self, new: NewRun) -> str:
        run_id = super().create_run(new)
        if run_id != new.adopt or new.adopt is None:
            return run_id
        del self._by_identity[self._runs[run_id].new.experiment, *new.identity(RUN_KEY_TAG)]
        return run_id


class AdoptsTheEnded(Healthy):
    def create_run(self, new: NewRun) -> str:
        run = self._runs.get(new.adopt or "")
        if run is None or not run.status.terminal:
            return super().create_run(new)
        run.tags.update(new.tags)
        return run.run_id


class LeavesTheEnded(Healthy):
    def create_run(self, new: NewRun) -> str:
        return super().create_run(replace(new, adopt_ended=False))


class StealsRuns(Healthy):
    def create_run(self, new: NewRun) -> str:
        if new.adopt in self._runs:
            self._runs[new.adopt].tags[RUN_KEY_TAG] = ""
        return super().create_run(new)


class RenamesTheAdopted(Healthy):
    def create_run(self, new: NewRun) -> str:
        run_id = super().create_run(new)
        self._runs[run_id].new = replace(self._runs[run_id].new, name=new.name)
        return run_id


class AdoptsBesidesItsOwn(Healthy):
    def create_run(self, new: NewRun) -> str:
        if new.adopt in self._runs:
            self._by_identity.pop((new.experiment, *new.identity(RUN_KEY_TAG)), None)
        return super().create_run(new)


class MakesNamedRunsAgain(Healthy):
    def create_run(self, new: NewRun) -> str:
        return super().create_run(new if new.run_key else replace(new, run_key=fresh_key()))


class NamesRunsByWhatTheyWere(Healthy):
    def create_run(self, new: NewRun) -> str:
        identity = new.experiment, *new.identity(RUN_KEY_TAG)
        return self._by_identity.get(identity) or super().create_run(new)


class NeedsARunForAnExperiment(Healthy):
    def ensure_experiment(self, name: str) -> None:
        if self._experiments.get(name) is Lifecycle.DELETED:
            super().ensure_experiment(name)

    def create_run(self, new: NewRun) -> str:
        super().ensure_experiment(new.experiment)
        return super().create_run(new)


class ForgetsTheParent(Healthy):
    def create_run(self, new: NewRun) -> str:
        return super().create_run(replace(new, parent_id=None))


class OverwritesParams(Healthy):
    def record(self, run_id: str, batch: RecordBatch) -> None:
        self.get_run(run_id)
        self._runs[run_id].params.update(batch.params)
        super().record(run_id, batch)


class LosesTheBatchOfARefusedParam(Healthy):
    def record(self, run_id: str, batch: RecordBatch) -> None:
        stored = self.get_run(run_id).params
        if any(stored.get(key, value) != value for key, value in batch.params.items()):
            raise ParamRefused("another value", cure="")
        super().record(run_id, batch)


class KeepsTheFirstTag(Healthy):
    def record(self, run_id: str, batch: RecordBatch) -> None:
        super().record(run_id, replace(batch, tags={**batch.tags, **self.get_run(run_id).tags}))


class ForgetsTagsWithQuotes(Healthy):
    def record(self, run_id: str, batch: RecordBatch) -> None:
        plain = {key: value for key, value in batch.tags.items() if "'" not in value}
        super().record(run_id, replace(batch, tags=plain))


class CutsLongValues(Healthy):
    def record(self, run_id: str, batch: RecordBatch) -> None:
        cut = {key: value[: self.capabilities.param_value_length] for key, value in batch.params.items()}
        super().record(run_id, replace(batch, params=cut))


class SendsTheFirstThousandOnly(Healthy):
    def record(self, run_id: str, batch: RecordBatch) -> None:
        super().record(run_id, replace(batch, metrics=batch.metrics[:1000]))


class DropsNan(Healthy):
    def record(self, run_id: str, batch: RecordBatch) -> None:
        numbers = tuple(point for point in batch.metrics if not math.isnan(point.value))
        super().record(run_id, replace(batch, metrics=numbers))


class ClipsInfinity(Healthy):
    def record(self, run_id: str, batch: RecordBatch) -> None:
        clipped = tuple(point._replace(value=max(-1e308, min(1e308, point.value))) for point in batch.metrics)
        super().record(run_id, replace(batch, metrics=clipped))


class AppendsPointsAgain(Healthy):
    def metric_history(self, run_id: str, name: str) -> tuple[MetricPoint, ...]:
        points = super().metric_history(run_id, name)
        return points + points[-1:]


class HistoryByTime(Healthy):
    def metric_history(self, run_id: str, name: str) -> tuple[MetricPoint, ...]:
        return tuple(sorted(super().metric_history(run_id, name), key=lambda point: point.timestamp_ms))


class LastValueByArrival(Healthy):
    def __init__(self) -> None:
        super().__init__()
        self._last: dict[tuple[str, str], float] = {}

    def record(self, run_id: str, batch: RecordBatch) -> None:
        self._last.update({(run_id, point.name): point.value for point in batch.metrics})
        super().record(run_id, batch)

    def get_run(self, run_id: str) -> StoredRun:
        run = super().get_run(run_id)
        return replace(run, metrics={name: self._last[run_id, name] for name in run.metrics})


class RefusesRecordsAfterTheEnd(Healthy):
    def record(self, run_id: str, batch: RecordBatch) -> None:
        if self.get_run(run_id).status.terminal:
            raise TrackingRefused("ended", cure="")
        super().record(run_id, batch)


class WritesToTheDeleted(Healthy):
    def record(self, run_id: str, batch: RecordBatch) -> None:
        with suppress(RunDeleted):
            super().record(run_id, batch)


class ReopensRuns(Healthy):
    def end_run(self, run_id: str, status: RunStatus, ended_at_ms: int) -> None:
        try:
            super().end_run(run_id, status, ended_at_ms)
        except RunEnded:
            self._runs[run_id].status = status


class RefusesTheSameEnd(Healthy):
    def end_run(self, run_id: str, status: RunStatus, ended_at_ms: int) -> None:
        if self.get_run(run_id).status.terminal:
            raise RunEnded("ended", cure="")
        super().end_run(run_id, status, ended_at_ms)


class MovesTheEnd(Healthy):
    def end_run(self, run_id: str, status: RunStatus, ended_at_ms: int) -> None:
        super().end_run(run_id, status, ended_at_ms)
        self._runs[run_id].ended_at_ms = ended_at_ms


class UnknownRunsAreEmpty(Healthy):
    def metric_history(self, run_id: str, name: str) -> tuple[MetricPoint, ...]:
        with suppress(RunNotFound):
            return super().metric_history(run_id, name)
        return ()


class SharesItsInside(Healthy):
    def get_run(self, run_id: str) -> StoredRun:
        run = super().get_run(run_id)
        return replace(run, tags=self._runs[run_id].tags, params=self._runs[run_id].params)


class LeaksThePassword(Healthy):
    def run_url(self, run: StoredRun) -> str | None:
        return f"https://user:secret@host/#/runs/{run.run_id}"


class ForgetsExperiments(Healthy):
    def experiments(self) -> tuple[str, ...]:
        return super().experiments()[: self.capabilities.search_page]


BUGS: dict[type[Healthy], str] = {
    LosesTheSecondPage: "test_all_runs_are_found_beyond_one_page",
    GivesARunTwice: "test_all_runs_are_found_beyond_one_page",
    Unsorted: "test_all_runs_are_found_beyond_one_page",
    TiesByArrival: "test_runs_of_one_moment_are_found_beyond_one_page",
    IgnoresStatuses: "test_only_the_asked_statuses_are_found",
    FindsTheDeleted: "test_only_the_asked_lifecycles_are_found",
    IgnoresParams: "test_conditions_are_joined_by_and",
    IgnoresTheParent: "test_only_the_children_of_the_asked_parent_are_found",
    IgnoresCase: "test_tags_and_params_are_compared_exactly",
    FiltersAfterTheLimit: "test_a_limit_takes_the_first_matches",
    SeesNanAsAbsent: "test_a_metric_is_present_whatever_its_value",
    ReturnsAllFields: "test_only_the_asked_fields_come_back",
    StaleFields: "test_what_was_written_is_found_as_it_is_now",
    CreatesTwice: "test_one_key_is_one_run",
    RevivesTheDeleted: "test_a_deleted_run_is_not_made_again",
    MakesNamedRunsAgain: "test_a_run_without_a_key_is_named_by_one_of_its_tags",
    NamesRunsByWhatTheyWere: "test_a_run_whose_naming_tag_says_something_else_is_another",
    NeedsARunForAnExperiment: "test_an_experiment_can_be_made_without_a_run",
    ForgetsTheParent: "test_a_child_knows_its_parent",
    AdoptsNone: "test_a_running_run_without_a_key_is_adopted_as_it_is",
    AdoptsOnce: "test_an_adopted_run_is_adopted_again_whatever_became_of_it",
    AdoptsByIdAlone: "test_an_adopted_run_is_found_by_its_key",
    AdoptsTheEnded: "test_what_cannot_be_adopted_is_as_if_it_were_not_named",
    LeavesTheEnded: "test_an_ended_run_is_adopted_when_it_is_asked_for",
    StealsRuns: "test_what_cannot_be_adopted_is_as_if_it_were_not_named",
    RenamesTheAdopted: "test_a_running_run_without_a_key_is_adopted_as_it_is",
    AdoptsBesidesItsOwn: "test_who_has_a_run_adopts_none",
    OverwritesParams: "test_a_param_never_changes_and_nothing_else_of_the_batch_is_lost",
    LosesTheBatchOfARefusedParam: "test_a_param_never_changes_and_nothing_else_of_the_batch_is_lost",
    KeepsTheFirstTag: "test_the_last_tag_wins",
    ForgetsTagsWithQuotes: "test_awkward_values_read_back_as_they_are",
    CutsLongValues: "test_the_longest_values_are_kept_whole_and_longer_ones_refused_whole",
    SendsTheFirstThousandOnly: "test_a_batch_of_any_size_is_stored_whole",
    DropsNan: "test_infinity_and_nan_come_back",
    ClipsInfinity: "test_infinity_and_nan_come_back",
    AppendsPointsAgain: "test_recording_twice_changes_nothing",
    HistoryByTime: "test_a_history_is_complete_and_ordered",
    LastValueByArrival: "test_the_last_value_is_of_the_largest_step_then_time_then_value",
    RefusesRecordsAfterTheEnd: "test_an_ended_run_still_takes_records",
    WritesToTheDeleted: "test_a_deleted_run_is_readable_and_takes_no_writes",
    ReopensRuns: "test_an_end_is_final_and_the_same_end_twice_is_one",
    RefusesTheSameEnd: "test_an_end_is_final_and_the_same_end_twice_is_one",
    MovesTheEnd: "test_an_end_is_final_and_the_same_end_twice_is_one",
    UnknownRunsAreEmpty: "test_an_unknown_run_is_not_found",
    SharesItsInside: "test_what_comes_back_is_the_callers_own",
    LeaksThePassword: "test_a_run_page_is_a_web_address_without_credentials",
    ForgetsExperiments: "test_experiments_are_listed_sorted_beyond_one_page",
}


class Suite(TrackingStoreContract):
    """The contract, run by hand; pytest does not collect it by this name."""

    def delete_experiment(self, store: TrackingStore, name: str) -> None:
        assert isinstance(store, Healthy)
        store.delete_experiment(name)


def test_a_healthy_store_keeps_every_promise() -> None:
    assert violations(Suite(), store=Healthy) == set()


@pytest.mark.parametrize("planted", BUGS, ids=lambda planted: planted.__name__)
def test_the_suite_refuses_a_planted_bug(planted: type[Healthy]) -> None:
    assert BUGS[planted] in violations(Suite(), store=planted)


MACHINE_BUGS: tuple[Callable[[], TrackingStore], ...] = (
    CreatesTwice,
    ForgetsTheParent,
    OverwritesParams,
    ForgetsTagsWithQuotes,
    DropsNan,
    LastValueByArrival,
    ReopensRuns,
    MovesTheEnd,
    WritesToTheDeleted,
    IgnoresStatuses,
    TiesByArrival,
    ReturnsAllFields,
    HistoryByTime,
)


def beside_the_model(subject: Callable[[], TrackingStore]) -> type[TrackingStoreMachine]:
    """The machine that compares this kind of store with the model."""

    class Machine(TrackingStoreMachine):
        def stores(self) -> tuple[TrackingStore, TrackingStore]:
            return subject(), MemoryTrackingStore(run_key_tag=RUN_KEY_TAG)

    return Machine


@pytest.mark.parametrize("planted", MACHINE_BUGS)
def test_the_machine_refuses_a_planted_bug(planted: Callable[[], TrackingStore]) -> None:
    search = settings(
        max_examples=400, stateful_step_count=30, phases=[Phase.generate], derandomize=True, database=None
    )
    with pytest.raises((AssertionError, ExceptionGroup)):
        run_state_machine_as_test(beside_the_model(planted), settings=search)


def test_the_machine_accepts_a_healthy_store() -> None:
    run_state_machine_as_test(beside_the_model(Healthy))
