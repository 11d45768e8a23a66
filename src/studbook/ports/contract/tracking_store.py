"""The tracking store's promises, as tests.

Subclass `TrackingStoreContract`, override the fixture `store` (made with `run_key_tag=RUN_KEY_TAG` and, to
be fast, with a small `search_page`) and `delete_experiment`. The store may hold other runs already. A backend
that cannot keep one key to one run, or one end to a run, between two threads overrides those tests and says
so.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from ...domain.errors import (
    ExperimentDeleted,
    ParamRefused,
    RunDeleted,
    RunEnded,
    RunNotFound,
    TrackingRefused,
)
from ...domain.run import RunStatus
from ...domain.store_writes import MetricPoint, RecordBatch
from ...domain.stored_run import Lifecycle
from ..run_query import ANY_STATUS, RunQuery
from ..tracking_store import TrackingStore
from .named_runs import NamedRunContract
from .tracking_adoption import TrackingAdoptionContract
from .tracking_examples import (
    AWKWARD,
    RUN_KEY_TAG,
    START,
    TERMINAL,
    at_once,
    fresh_name,
    ids,
    metric,
    new_run,
)
from .tracking_limits import TrackingLimitContract
from .tracking_queries import TrackingQueryContract


class TrackingStoreContract(
    TrackingAdoptionContract, NamedRunContract, TrackingLimitContract, TrackingQueryContract
):
    """What every tracking store keeps. Tags are compared as far as they were written: a backend may add."""

    def delete_experiment(self, store: TrackingStore, name: str) -> None:
        """Delete an experiment as a person does in the backend: no port can."""
        raise NotImplementedError

    # Creating

    def test_a_created_run_reads_back_as_it_was_asked_for(self, store: TrackingStore) -> None:
        new = replace(new_run(fresh_name(), tags={"colour": "brown"}), name="trial 7")
        run = store.get_run(store.create_run(new))
        assert (run.experiment, run.name, run.started_at_ms) == (new.experiment, "trial 7", START)
        assert (run.status, run.lifecycle, run.ended_at_ms) == (RunStatus.RUNNING, Lifecycle.ACTIVE, None)
        assert (run.parent_id, run.params, run.metrics) == (None, {}, {})
        assert new.tags.items() <= run.tags.items()

    def test_a_child_knows_its_parent(self, store: TrackingStore) -> None:
        parent = new_run(fresh_name())
        parent_id = store.create_run(parent)
        child_id = store.create_run(replace(new_run(parent.experiment), parent_id=parent_id))
        assert store.get_run(child_id).parent_id == parent_id
        assert [
            run.parent_id for run in store.find(RunQuery((parent.experiment,), ANY_STATUS)) if run.parent_id
        ]

    def test_one_key_is_one_run(self, store: TrackingStore) -> None:
        new = new_run(fresh_name())
        first = store.create_run(new)
        assert store.create_run(new) == first
        assert store.create_run(replace(new, name="again", started_at_ms=START + 5)) == first
        assert store.create_run(new_run(new.experiment)) != first
        assert len(ids(store.find(RunQuery((new.experiment,), ANY_STATUS)))) == 2
        assert store.get_run(first).name == "a run"

    def test_one_key_is_one_run_after_its_end(self, store: TrackingStore) -> None:
        new = new_run(fresh_name())
        run_id = store.create_run(new)
        store.end_run(run_id, RunStatus.FINISHED, START + 1)
        assert store.create_run(new) == run_id
        assert store.get_run(run_id).status is RunStatus.FINISHED

    def test_the_key_is_tagged_even_if_the_tags_forgot_it(self, store: TrackingStore) -> None:
        new = replace(new_run(fresh_name()), tags={})
        assert store.get_run(store.create_run(new)).tags[RUN_KEY_TAG] == new.run_key

    def test_two_threads_with_one_key_get_one_run(self, store: TrackingStore) -> None:
        new = new_run(fresh_name())
        store.create_run(new_run(new.experiment))
        made: list[str] = []
        at_once(lambda: made.append(store.create_run(new)), lambda: made.append(store.create_run(new)))
        assert len(made) == 2
        assert len(set(made)) == 1
        assert len(ids(store.find(RunQuery((new.experiment,), ANY_STATUS)))) == 2

    def test_a_deleted_run_is_not_made_again(self, store: TrackingStore) -> None:
        new = new_run(fresh_name())
        store.delete_run(store.create_run(new))
        with pytest.raises(RunDeleted):
            store.create_run(new)

    def test_a_deleted_experiment_takes_no_run(self, store: TrackingStore) -> None:
        new = new_run(fresh_name())
        store.create_run(new)
        self.delete_experiment(store, new.experiment)
        for again in (new, new_run(new.experiment)):
            with pytest.raises(ExperimentDeleted):
                store.create_run(again)
        with pytest.raises(ExperimentDeleted):
            store.ensure_experiment(new.experiment)
        assert new.experiment not in store.experiments()
        assert ids(store.find(RunQuery((new.experiment,), ANY_STATUS))) == []

    def test_experiments_are_listed_sorted_beyond_one_page(self, store: TrackingStore) -> None:
        names = [fresh_name() for _ in range(min(store.capabilities.search_page, 20) + 1)]
        for name in names:
            store.create_run(new_run(name))
        listed = store.experiments()
        assert list(listed) == sorted(set(listed))
        assert set(names) <= set(listed)

    # Recording

    def test_awkward_values_read_back_as_they_are(self, store: TrackingStore) -> None:
        values = {f"key.{i}/a-b c": value for i, value in enumerate(AWKWARD)}
        run_id = store.create_run(new_run(fresh_name(), tags=values))
        store.record(
            run_id, RecordBatch(params=values, tags={f"r{key}": value for key, value in values.items()})
        )
        run = store.get_run(run_id)
        assert run.params == values
        assert {key: run.tags.get(key) for key in values} == values
        assert {key: run.tags.get(f"r{key}") for key in values} == values

    def test_recording_twice_changes_nothing(self, store: TrackingStore) -> None:
        run_id = store.create_run(new_run(fresh_name()))
        points = metric("loss", 1.0, math.nan, math.inf, -math.inf, 0.5).metrics
        batch = RecordBatch({"p": "1"}, points + points, {"t": "2"})
        store.record(run_id, batch)
        once = store.get_run(run_id), store.metric_history(run_id, "loss")
        store.record(run_id, batch)
        store.record(run_id, RecordBatch(metrics=(*points, MetricPoint("loss", math.nan, START, 9))))
        assert len(store.metric_history(run_id, "loss")) == len(points) + 1
        assert repr(store.metric_history(run_id, "loss")[: len(points)]) == repr(once[1])
        assert (store.get_run(run_id).params, store.get_run(run_id).tags) == (once[0].params, once[0].tags)

    def test_an_empty_batch_is_nothing(self, store: TrackingStore) -> None:
        run_id = store.create_run(new_run(fresh_name()))
        before = store.get_run(run_id)
        store.record(run_id, RecordBatch())
        assert store.get_run(run_id) == before

    def test_a_param_never_changes_and_nothing_else_of_the_batch_is_lost(self, store: TrackingStore) -> None:
        run_id = store.create_run(new_run(fresh_name()))
        store.record(run_id, RecordBatch(params={"a": "1", "b": "2"}))
        batch = RecordBatch({"a": "9", "b": "2", "c": "3"}, metric("m", 1.0).metrics, {"t": "5"})
        for _ in range(2):
            with pytest.raises(ParamRefused):
                store.record(run_id, batch)
        run = store.get_run(run_id)
        assert run.params == {"a": "1", "b": "2", "c": "3"}
        assert (run.metrics, run.tags["t"]) == ({"m": 1.0}, "5")

    def test_the_last_tag_wins(self, store: TrackingStore) -> None:
        run_id = store.create_run(new_run(fresh_name(), tags={"t": "1", "u": "1"}))
        store.record(run_id, RecordBatch(tags={"t": "2"}))
        store.record(run_id, RecordBatch(tags={"t": "3"}))
        assert (store.get_run(run_id).tags["t"], store.get_run(run_id).tags["u"]) == ("3", "1")

    # Metrics

    def test_infinity_and_nan_come_back(self, store: TrackingStore) -> None:
        run_id = store.create_run(new_run(fresh_name()))
        for name, value in (
            ("nan", math.nan),
            ("up", math.inf),
            ("down", -math.inf),
            ("big", 1e300),
            ("0", -0.0),
        ):
            store.record(run_id, metric(name, value))
        metrics = store.get_run(run_id).metrics
        assert math.isnan(metrics["nan"])
        assert (metrics["up"], metrics["down"], metrics["big"], metrics["0"]) == (
            math.inf,
            -math.inf,
            1e300,
            0.0,
        )
        assert math.isnan(store.metric_history(run_id, "nan")[0].value)

    def test_the_last_value_is_of_the_largest_step_then_time_then_value(self, store: TrackingStore) -> None:
        run_id = store.create_run(new_run(fresh_name()))
        latest = {
            "step": [(5.0, 1, 2), (9.0, 9, 1)],
            "time": [(5.0, 9, 1), (9.0, 1, 1)],
            "value": [(5.0, 1, 1), (3.0, 1, 1)],
            "number over NaN": [(5.0, 1, 1), (math.nan, 1, 1)],
            "low over NaN": [(-5.0, 1, 1), (math.nan, 1, 1)],
            "step before": [(5.0, 1, 0), (7.0, 1, -3)],
        }
        for name, points in latest.items():
            for order, rows in (("a ", points), ("b ", points[::-1])):
                for value, time, step in rows:
                    point = MetricPoint(order + name, value, START + time, step)
                    store.record(run_id, RecordBatch(metrics=(point,)))
        run = store.get_run(run_id)
        (found,) = store.find(RunQuery((run.experiment,), ANY_STATUS))
        expected = {order + name: points[0][0] for name, points in latest.items() for order in ("a ", "b ")}
        assert run.metrics == expected
        assert found.metrics == expected

    def test_a_late_nan_is_the_last_value(self, store: TrackingStore) -> None:
        run_id = store.create_run(new_run(fresh_name()))
        store.record(run_id, metric("m", 1.0, math.nan))
        assert math.isnan(store.get_run(run_id).metrics["m"])

    def test_a_history_is_complete_and_ordered(self, store: TrackingStore) -> None:
        run_id = store.create_run(new_run(fresh_name()))
        rows = [
            (0, 1, 1.0),
            (0, 1, math.nan),
            (0, 2, -1.0),
            (-1, 9, 4.0),
            (3, 0, 2.0),
            (3, 0, 1.0),
            (0, 1, -2.0),
        ]
        for step, time, value in rows:
            store.record(run_id, RecordBatch(metrics=(MetricPoint("m", value, START + time, step),)))
        store.record(run_id, metric("other", 1.0))
        history = [(p.step, p.timestamp_ms - START, p.value) for p in store.metric_history(run_id, "m")]
        ordered = [rows[i] for i in (3, 6, 0, 1, 2, 5, 4)]
        assert repr(history) == repr(ordered)
        assert store.metric_history(run_id, "absent") == ()

    # Ending

    def test_an_end_is_final_and_the_same_end_twice_is_one(self, store: TrackingStore) -> None:
        for status in TERMINAL:
            run_id = store.create_run(new_run(fresh_name()))
            store.end_run(run_id, status, START + 10)
            store.end_run(run_id, status, START + 99)
            for other in set(TERMINAL) - {status}:
                with pytest.raises(RunEnded):
                    store.end_run(run_id, other, START + 20)
            run = store.get_run(run_id)
            assert (run.status, run.ended_at_ms) == (status, START + 10)

    def test_running_is_no_end(self, store: TrackingStore) -> None:
        run_id = store.create_run(new_run(fresh_name()))
        with pytest.raises(TrackingRefused):
            store.end_run(run_id, RunStatus.RUNNING, START + 10)
        assert store.get_run(run_id).ended_at_ms is None

    def test_of_two_ends_at_once_one_holds(self, store: TrackingStore) -> None:
        run_id = store.create_run(new_run(fresh_name()))
        refused: list[RunStatus] = []

        def end(status: RunStatus) -> None:
            try:
                store.end_run(run_id, status, START + 10)
            except RunEnded:
                refused.append(status)

        at_once(lambda: end(RunStatus.FINISHED), lambda: end(RunStatus.KILLED))
        assert len(refused) == 1
        assert {store.get_run(run_id).status, *refused} == {RunStatus.FINISHED, RunStatus.KILLED}

    def test_an_ended_run_still_takes_records(self, store: TrackingStore) -> None:
        run_id = store.create_run(new_run(fresh_name()))
        store.end_run(run_id, RunStatus.FAILED, START + 10)
        store.record(run_id, RecordBatch({"p": "1"}, metric("m", 2.0).metrics, {"t": "3"}))
        run = store.get_run(run_id)
        assert (run.params, run.metrics, run.tags["t"]) == ({"p": "1"}, {"m": 2.0}, "3")
        assert (run.status, run.ended_at_ms) == (RunStatus.FAILED, START + 10)

    # Deleting

    def test_a_deleted_run_is_readable_and_takes_no_writes(self, store: TrackingStore) -> None:
        run_id = store.create_run(new_run(fresh_name()))
        batch = RecordBatch({"p": "1"}, metric("m", 2.0).metrics, {"t": "3"})
        store.record(run_id, batch)
        store.delete_run(run_id)
        store.delete_run(run_id)
        deleted = store.get_run(run_id)
        assert (deleted.lifecycle, deleted.params, deleted.metrics) == (
            Lifecycle.DELETED,
            {"p": "1"},
            {"m": 2.0},
        )
        for write in (batch, RecordBatch(tags={"t": "4"}), metric("n", 1.0), RecordBatch(params={"q": "1"})):
            with pytest.raises(RunDeleted):
                store.record(run_id, write)
        with pytest.raises(RunDeleted):
            store.end_run(run_id, RunStatus.FINISHED, START + 1)
        assert store.get_run(run_id) == deleted
        assert len(store.metric_history(run_id, "m")) == 1

    def test_an_unknown_run_is_not_found(self, store: TrackingStore) -> None:
        unknown = uuid.uuid4().hex
        asks: tuple[Callable[[], object], ...] = (
            lambda: store.get_run(unknown),
            lambda: store.record(unknown, RecordBatch(tags={"t": "1"})),
            lambda: store.record(unknown, metric("m", math.nan)),
            lambda: store.end_run(unknown, RunStatus.FINISHED, START),
            lambda: store.delete_run(unknown),
            lambda: store.metric_history(unknown, "m"),
        )
        for ask in asks:
            with pytest.raises(RunNotFound):
                ask()

    # The object itself

    def test_what_comes_back_is_the_callers_own(self, store: TrackingStore) -> None:
        run_id = store.create_run(new_run(fresh_name(), tags={"t": "1"}))
        store.record(run_id, RecordBatch(params={"p": "1"}))
        run = store.get_run(run_id)
        run.tags["t"] = run.params["p"] = "changed"
        again = store.get_run(run_id)
        assert (again.tags["t"], again.params["p"]) == ("1", "1")

    def test_a_run_page_is_a_web_address_without_credentials(self, store: TrackingStore) -> None:
        run = store.get_run(store.create_run(new_run(fresh_name())))
        page = store.run_url(run)
        if page is not None:
            address = urlsplit(page)
            assert address.scheme in {"http", "https"}
            assert (address.username, address.password) == (None, None)
            assert run.run_id in page

    def test_closing_twice_is_fine(self, store: TrackingStore) -> None:
        store.create_run(new_run(fresh_name()))
        store.close()
        store.close()
