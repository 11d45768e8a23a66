"""What `find` promises, as tests: for tracking stores, and for whatever else answers a RunQuery."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from ...domain.run import RunStatus
from ...domain.store_writes import RecordBatch
from ...domain.stored_run import Lifecycle
from ..run_query import ANY_STATUS, Order, RunQuery
from ..tracking_store import TrackingStore
from .tracking_examples import AWKWARD, START, TERMINAL, fresh_name, ids, metric, new_run


class TrackingQueryContract:
    """A result is complete, in the declared order, each run once."""

    @pytest.fixture
    def store(self) -> TrackingStore:
        """The store under test."""
        raise NotImplementedError

    def test_all_runs_are_found_beyond_one_page(self, store: TrackingStore) -> None:
        experiment = fresh_name()
        count = 3 * store.capabilities.search_page + 2
        made = [store.create_run(new_run(experiment, START + i)) for i in range(count)]
        everything = RunQuery((experiment,), ANY_STATUS)
        assert ids(store.find(everything)) == made
        assert ids(store.find(replace(everything, order=Order.STARTED_DESCENDING))) == made[::-1]

    def test_runs_of_one_moment_are_found_beyond_one_page(self, store: TrackingStore) -> None:
        experiment = fresh_name()
        page = store.capabilities.search_page
        before = store.create_run(new_run(experiment, START - 1))
        made = [store.create_run(new_run(experiment, START)) for _ in range(2 * page + 1)]
        after = [store.create_run(new_run(experiment, START + i)) for i in range(1, page + 1)]
        everything = RunQuery((experiment,), ANY_STATUS)
        assert ids(store.find(everything)) == [before, *sorted(made), *after]
        backwards = replace(everything, order=Order.STARTED_DESCENDING)
        assert ids(store.find(backwards)) == [*after[::-1], *sorted(made), before]

    def test_runs_that_come_while_reading_hide_no_other(self, store: TrackingStore) -> None:
        experiment = fresh_name()
        count = 3 * store.capabilities.search_page
        made = [store.create_run(new_run(experiment, START + i)) for i in range(count)]
        found = store.find(RunQuery((experiment,), ANY_STATUS, order=Order.STARTED_DESCENDING))
        first = next(found).run_id
        for i in range(3):
            store.create_run(new_run(experiment, START + count + i))
        rest = ids(found)
        assert [run_id for run_id in [first, *rest] if run_id in made] == made[::-1]
        assert len(set(rest)) == len(rest)

    def test_runs_that_go_while_reading_hide_no_other(self, store: TrackingStore) -> None:
        experiment = fresh_name()
        count = 3 * store.capabilities.search_page
        made = [store.create_run(new_run(experiment, START + i)) for i in range(count)]
        found = store.find(RunQuery((experiment,), ANY_STATUS))
        first = next(found).run_id
        for gone in made[:3]:
            store.delete_run(gone)
        assert first == made[0]
        assert set(made[3:]) <= set(ids(found))

    def test_only_the_named_experiments_are_searched(self, store: TrackingStore) -> None:
        one, two, three = (fresh_name() for _ in range(3))
        first, _, third = (
            store.create_run(new_run(name, START + i)) for i, name in enumerate((one, two, three))
        )
        runs = list(store.find(RunQuery((three, one), ANY_STATUS)))
        assert [(run.run_id, run.experiment) for run in runs] == [(first, one), (third, three)]
        assert ids(store.find(RunQuery((one, one, fresh_name()), ANY_STATUS))) == [first]
        assert ids(store.find(RunQuery((fresh_name(),), ANY_STATUS))) == []
        assert ids(store.find(RunQuery((), ANY_STATUS))) == []

    def test_only_the_asked_statuses_are_found(self, store: TrackingStore) -> None:
        experiment = fresh_name()
        made = {
            status: store.create_run(new_run(experiment, START + i)) for i, status in enumerate(RunStatus)
        }
        for status in TERMINAL:
            store.end_run(made[status], status, START + 10)
        for asked in (
            *({status} for status in RunStatus),
            set(TERMINAL),
            ANY_STATUS - {RunStatus.FAILED},
            set(),
        ):
            found = ids(store.find(RunQuery((experiment,), frozenset(asked))))
            assert found == [made[status] for status in RunStatus if status in asked]

    def test_only_the_asked_lifecycles_are_found(self, store: TrackingStore) -> None:
        experiment = fresh_name()
        kept, deleted = (store.create_run(new_run(experiment, START + i)) for i in range(2))
        store.delete_run(deleted)
        everything = RunQuery((experiment,), ANY_STATUS)
        assert ids(store.find(everything)) == [kept]
        assert ids(store.find(replace(everything, lifecycles=frozenset({Lifecycle.DELETED})))) == [deleted]
        assert ids(store.find(replace(everything, lifecycles=frozenset(Lifecycle)))) == [kept, deleted]
        assert ids(store.find(replace(everything, lifecycles=frozenset()))) == []

    def test_tags_and_params_are_compared_exactly(self, store: TrackingStore) -> None:
        experiment = fresh_name()
        values = [*AWKWARD, "x", "X", "x ", "%x", "x%"]
        made = {}
        for i, value in enumerate(values):
            run_id = store.create_run(new_run(experiment, START + i, {"t.a/b-c d": value, "t_x.y": value}))
            store.record(run_id, RecordBatch(params={"p.a/b-c d": value, "p_x.y": value}))
            made[value] = run_id
        store.create_run(new_run(experiment, START + len(values)))
        everything = RunQuery((experiment,), ANY_STATUS)
        for value, run_id in made.items():
            for suffix in (".a/b-c d", "_x.y"):
                assert ids(store.find(replace(everything, tags={f"t{suffix}": value}))) == [run_id], value
                assert ids(store.find(replace(everything, params={f"p{suffix}": value}))) == [run_id], value

    def test_keys_that_look_like_grammar_are_keys(self, store: TrackingStore) -> None:
        experiment = fresh_name()
        keys = ("from", "a.in.b", "1", "a.2", "1e5", "case", "and", "order.by", "select", "a..b", "status")
        run_id = store.create_run(new_run(experiment, tags=dict.fromkeys(keys, "v")))
        store.record(run_id, RecordBatch(params=dict.fromkeys(keys, "w")))
        store.create_run(new_run(experiment, START + 1))
        for key in keys:
            query = RunQuery((experiment,), ANY_STATUS, tags={key: "v"}, params={key: "w"})
            assert ids(store.find(query)) == [run_id], key

    def test_conditions_are_joined_by_and(self, store: TrackingStore) -> None:
        experiment = fresh_name()
        rows = [("a", "1"), ("a", "2"), ("b", "1"), ("c", "2")]
        made = [store.create_run(new_run(experiment, START + i, {"t": t})) for i, (t, _) in enumerate(rows)]
        for run_id, (_, p) in zip(made, rows, strict=True):
            store.record(run_id, RecordBatch(params={"p": p}))
        everything = RunQuery((experiment,), ANY_STATUS)

        def indexes(query: RunQuery) -> list[int]:
            return [made.index(run_id) for run_id in ids(store.find(query))]

        assert indexes(replace(everything, tags={"t": "a"}, params={"p": "2"})) == [1]
        assert indexes(replace(everything, tags={"t": "a", "u": "a"})) == []
        assert indexes(replace(everything, tag_in={"t": frozenset({"a", "c", "z"})})) == [0, 1, 3]
        assert indexes(replace(everything, tag_in={"t": frozenset({"b"})})) == [2]
        assert indexes(replace(everything, tag_in={"t": frozenset({"a", "b"})}, params={"p": "1"})) == [0, 2]
        assert indexes(replace(everything, tag_in={"t": frozenset()})) == []

    def test_only_the_children_of_the_asked_parent_are_found(self, store: TrackingStore) -> None:
        experiment = fresh_name()
        parent, other = (store.create_run(new_run(experiment, START + i)) for i in range(2))
        rows = [(parent, "a"), (other, "a"), (parent, "b")]
        made = [
            store.create_run(replace(new_run(experiment, START + 2 + i, {"t": tag}), parent_id=above))
            for i, (above, tag) in enumerate(rows)
        ]
        below = store.create_run(replace(new_run(experiment, START + 9), parent_id=made[0]))
        children = RunQuery((experiment,), ANY_STATUS, parent_id=parent)
        assert ids(store.find(children)) == [made[0], made[2]]
        assert ids(store.find(replace(children, tags={"t": "a"}))) == [made[0]]
        assert ids(store.find(replace(children, parent_id=made[0]))) == [below]
        assert ids(store.find(replace(children, parent_id=below))) == []

    def test_a_metric_is_present_whatever_its_value(self, store: TrackingStore) -> None:
        experiment = fresh_name()
        made = [store.create_run(new_run(experiment, START + i)) for i in range(5)]
        for run_id, value in zip(made, (0.0, math.nan, math.inf, -1.0), strict=False):
            store.record(run_id, metric("m", value))
        store.record(made[3], metric("other", 1.0))
        present = RunQuery((experiment,), ANY_STATUS, has_metrics=frozenset({"m"}))
        assert ids(store.find(present)) == made[:4]
        assert ids(store.find(replace(present, has_metrics=frozenset({"m", "other"})))) == [made[3]]
        assert ids(store.find(replace(present, has_metrics=frozenset({"absent"})))) == []

    def test_a_limit_takes_the_first_matches(self, store: TrackingStore) -> None:
        experiment = fresh_name()
        count = store.capabilities.search_page + 3
        made = [
            store.create_run(new_run(experiment, START + i // 2, {"t": "odd" if i % 2 else "even"}))
            for i in range(count)
        ]
        everything = ids(store.find(RunQuery((experiment,), ANY_STATUS)))
        assert sorted(everything) == sorted(made)
        for limit in (0, 1, 2, 5, count - 1, count, count + 5):
            assert ids(store.find(RunQuery((experiment,), ANY_STATUS, limit=limit))) == everything[:limit]
        odd = ids(
            store.find(RunQuery((experiment,), ANY_STATUS, tag_in={"t": frozenset({"odd", "x"})}, limit=2))
        )
        assert odd == made[1:4:2]

    def test_only_the_asked_fields_come_back(self, store: TrackingStore) -> None:
        experiment = fresh_name()
        run_id = store.create_run(new_run(experiment, tags={"a": "1", "b": "2"}))
        store.record(
            run_id, RecordBatch({"p": "1", "q": "2"}, metric("m", 1.0).metrics + metric("n", 2.0).metrics)
        )
        query = RunQuery(
            (experiment,), ANY_STATUS, tags={"b": "2"}, params={"q": "2"}, has_metrics=frozenset({"n"})
        )
        (full,) = store.find(query)
        assert (full.params, full.metrics) == ({"p": "1", "q": "2"}, {"m": 1.0, "n": 2.0})
        assert {"a": "1", "b": "2"}.items() <= full.tags.items()
        (some,) = store.find(
            replace(
                query,
                tag_fields=frozenset({"a", "absent"}),
                param_fields=frozenset({"p"}),
                metric_fields=frozenset({"m"}),
            )
        )
        assert (some.tags, some.params, some.metrics) == ({"a": "1"}, {"p": "1"}, {"m": 1.0})
        empty: frozenset[str] = frozenset()
        (none,) = store.find(replace(query, tag_fields=empty, param_fields=empty, metric_fields=empty))
        assert (none.tags, none.params, none.metrics) == ({}, {}, {})
        assert (none.run_id, none.name, none.started_at_ms) == (run_id, "a run", START)

    def test_what_was_written_is_found_as_it_is_now(self, store: TrackingStore) -> None:
        experiment = fresh_name()
        run_id = store.create_run(new_run(experiment, tags={"t": "1"}))
        query = RunQuery((experiment,), ANY_STATUS)
        assert [run.tags["t"] for run in store.find(query)] == ["1"]
        store.record(run_id, RecordBatch(tags={"t": "2"}))
        store.record(run_id, metric("m", 1.0, 2.0))
        store.end_run(run_id, RunStatus.KILLED, START + 3)
        (run,) = store.find(query)
        assert (run.tags["t"], run.metrics, run.status, run.ended_at_ms) == (
            "2",
            {"m": 2.0},
            RunStatus.KILLED,
            START + 3,
        )
        assert ids(store.find(replace(query, tags={"t": "1"}))) == []
        assert run == store.get_run(run_id)
