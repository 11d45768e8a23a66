"""A stateful machine: whatever is done to a tracking store and to the model, both end in the same state.

Subclass `TrackingStoreMachine`, let `stores` return the two, and hand the class to
`run_state_machine_as_test`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, invariant, multiple, rule

from ...domain.errors import StudbookError
from ...domain.run import RunStatus
from ...domain.store_writes import MetricPoint, RecordBatch
from ...domain.stored_run import Lifecycle, StoredRun
from ..run_query import ANY_STATUS, Order, RunQuery
from ..tracking_store import NewRun, TrackingStore
from .tracking_examples import AWKWARD, RUN_KEY_TAG, START, TERMINAL, fresh_key, fresh_name

T = TypeVar("T")
_Pair = tuple[str, str]  # one run's ids: the subject's, the model's

_KEYS = ("t", "a.b", "from", "x y/z-1", "1")
_METRICS = ("loss", "val/loss")
_keys = st.sampled_from(_KEYS)
_values = st.sampled_from(AWKWARD) | st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
_texts = st.dictionaries(_keys, _values, max_size=3)
_few = st.dictionaries(_keys, st.sampled_from(AWKWARD[:3]), max_size=1)
_numbers = st.sampled_from((float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 1.0, -1.0)) | st.floats()
_points = st.builds(
    MetricPoint, st.sampled_from(_METRICS), _numbers, st.integers(START, START + 1), st.integers(-1, 1)
)
_batches = st.builds(RecordBatch, _texts, st.lists(_points, max_size=4).map(tuple), _texts)
_fields = st.none() | st.frozensets(_keys | st.just(RUN_KEY_TAG), max_size=2)
_queries = st.builds(
    RunQuery,
    st.just(()),
    st.frozensets(st.sampled_from(RunStatus)) | st.just(ANY_STATUS),
    tags=_few,
    tag_in=st.dictionaries(_keys, st.frozensets(st.sampled_from(AWKWARD[:3])), max_size=1),
    params=_few,
    has_metrics=st.frozensets(st.sampled_from(_METRICS), max_size=1),
    lifecycles=st.frozensets(st.sampled_from(Lifecycle), min_size=1),
    order=st.sampled_from(Order),
    fresh=st.booleans(),
    tag_fields=_fields,
    param_fields=_fields,
    metric_fields=st.none() | st.frozensets(st.sampled_from(_METRICS)),
)


class TrackingStoreMachine(RuleBasedStateMachine):
    """Drives a store and the model side by side, and compares them after each step."""

    runs: Bundle[_Pair] = Bundle("runs")

    def stores(self) -> tuple[TrackingStore, TrackingStore]:
        """The store under test, and an empty model."""
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        self._subject, self._model = self.stores()
        self._experiments = (fresh_name(), fresh_name())
        self._run_keys = [fresh_key() for _ in range(4)]
        self._model_id: dict[str, str] = {}

    @rule(
        target=runs,
        key=st.integers(0, 3),
        experiment=st.integers(0, 1),
        started=st.integers(START, START + 2),
        tags=_texts,
        parent=st.none() | runs,
    )
    def create(
        self, key: int, experiment: int, started: int, tags: dict[str, str], parent: _Pair | None
    ) -> _Pair | MultipleResults[_Pair]:
        """Create a run, new or known, under a parent or not."""
        run_key = self._run_keys[key]
        new = NewRun(
            run_key, self._experiments[experiment], f"run {key}", started, {**tags, RUN_KEY_TAG: run_key}
        )
        subject, model = (parent[0], parent[1]) if parent else (None, None)
        made = self._both(
            lambda: self._subject.create_run(replace(new, parent_id=subject)),
            lambda: self._model.create_run(replace(new, parent_id=model)),
        )
        if made is None:
            return multiple()
        assert self._model_id.setdefault(made[0], made[1]) == made[1]
        return made

    @rule(run=runs, batch=_batches)
    def record(self, run: _Pair, batch: RecordBatch) -> None:
        """Add to a run, whatever its state."""
        self._both(lambda: self._subject.record(run[0], batch), lambda: self._model.record(run[1], batch))

    @rule(run=runs, status=st.sampled_from(TERMINAL), ended=st.integers(START + 3, START + 5))
    def end(self, run: _Pair, status: RunStatus, ended: int) -> None:
        """End a run, first or again."""
        self._both(
            lambda: self._subject.end_run(run[0], status, ended),
            lambda: self._model.end_run(run[1], status, ended),
        )

    @rule(run=runs)
    def delete(self, run: _Pair) -> None:
        """Delete a run, first or again."""
        self._both(lambda: self._subject.delete_run(run[0]), lambda: self._model.delete_run(run[1]))

    @rule(run=runs, name=st.sampled_from(_METRICS))
    def read(self, run: _Pair, name: str) -> None:
        """Compare one run, and one history."""
        subject, model = self._subject.get_run(run[0]), self._model.get_run(run[1])
        assert self._told(subject) == _told(model)
        assert repr(self._subject.metric_history(run[0], name)) == repr(
            self._model.metric_history(run[1], name)
        )

    @rule(query=_queries, limit=st.integers(0, 3))
    def ask(self, query: RunQuery, limit: int) -> None:
        """Compare the answers to a question, whole and limited."""
        query = replace(query, experiments=self._experiments)
        found = self._compare(query)
        limited = [run.run_id for run in self._subject.find(replace(query, limit=limit))]
        assert limited == [run.run_id for run in found[:limit]]

    @invariant()
    def same_state(self) -> None:
        """All runs of both stores are the same."""
        self._compare(RunQuery(self._experiments, ANY_STATUS, lifecycles=frozenset(Lifecycle)))

    def teardown(self) -> None:
        """Give back the connections."""
        self._subject.close()
        self._model.close()

    def _compare(self, query: RunQuery) -> list[StoredRun]:
        found = list(self._subject.find(query))
        assert found == sorted(found, key=query.sort_key)
        expected = {run.run_id: _told(run) for run in self._model.find(query)}
        assert len(found) == len(expected)
        assert {self._model_id[run.run_id]: self._told(run) for run in found} == expected
        return found

    def _both(self, subject: Callable[[], T], model: Callable[[], T]) -> tuple[T, T] | None:
        """Both results; or None when both raise the same error."""
        theirs, ours = _outcome(subject), _outcome(model)
        if isinstance(theirs, StudbookError) or isinstance(ours, StudbookError):
            assert type(theirs) is type(ours), (theirs, ours)
            return None
        return theirs, ours

    def _told(self, run: StoredRun) -> dict[str, object]:
        parent = run.parent_id
        known = replace(
            run,
            run_id=self._model_id[run.run_id],
            parent_id=None if parent is None else self._model_id[parent],
        )
        return _told(known)


def _outcome(call: Callable[[], T]) -> T | StudbookError:
    try:
        return call()
    except StudbookError as error:
        return error


def _told(run: StoredRun) -> dict[str, object]:
    """The run as comparable values: without the backend's own tags, NaN equal to itself."""
    return {
        "run_id": run.run_id,
        "experiment": run.experiment,
        "name": run.name,
        "status": run.status,
        "lifecycle": run.lifecycle,
        "times": (run.started_at_ms, run.ended_at_ms),
        "parent": run.parent_id,
        "tags": {key: value for key, value in run.tags.items() if key in {*_KEYS, RUN_KEY_TAG}},
        "params": run.params,
        "metrics": {name: repr(value) for name, value in run.metrics.items()},
    }
