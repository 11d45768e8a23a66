"""A tracking store in memory: the contract in full, with any backend's limits."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from ...domain.errors import (
    ExperimentDeleted,
    ParamRefused,
    RunDeleted,
    RunNotFound,
    TrackingRefused,
)
from ...domain.run import RunStatus, next_status
from ...domain.store_writes import MetricPoint, RecordBatch
from ...domain.stored_run import Lifecycle, StoredRun
from ...ports.capabilities import Capabilities
from ...ports.metric_points import canonical_value, history_order, identity, latest
from ...ports.run_query import RunQuery
from ...ports.tracking_store import NewRun
from ...ports.write_limits import refuse_experiment_name, refuse_over_count, refuse_over_limits

_MLFLOW_LIMITS = Capabilities()
_Points = dict[tuple[str, int, int, bool, float], MetricPoint]


@dataclass(slots=True)
class _Run:
    run_id: str
    new: NewRun
    tags: dict[str, str]
    status: RunStatus = RunStatus.RUNNING
    lifecycle: Lifecycle = Lifecycle.ACTIVE
    ended_at_ms: int | None = None
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, _Points] = field(default_factory=dict)


class MemoryTrackingStore:
    """A verified fake. Thread-safe; nothing outlives the object.

    `capabilities` are enforced, except `visibility_delay_s`: what is written is seen at once. `run_key_tag`
    is the tag that holds a run's key; a key names one run of its experiment.
    """

    def __init__(self, capabilities: Capabilities = _MLFLOW_LIMITS, *, run_key_tag: str) -> None:
        self._capabilities = capabilities
        self._run_key_tag = run_key_tag
        self._lock = threading.RLock()
        self._experiments: dict[str, Lifecycle] = {}
        self._runs: dict[str, _Run] = {}
        self._by_identity: dict[tuple[str, str, str], str] = {}

    @property
    def capabilities(self) -> Capabilities:
        """The limits that this store enforces."""
        return self._capabilities

    def ensure_experiment(self, name: str) -> None:
        """See TrackingStore."""
        refuse_experiment_name(self._capabilities, name)
        with self._lock:
            if self._experiments.setdefault(name, Lifecycle.ACTIVE) is Lifecycle.DELETED:
                raise ExperimentDeleted(
                    f"the experiment {name!r} is deleted",
                    cure="restore it, or use another name",
                    experiment=name,
                )

    def create_run(self, new: NewRun) -> str:
        """See TrackingStore."""
        name, text = new.identity(self._run_key_tag)
        tags = {**new.tags, name: text}
        refuse_over_limits(self._capabilities, RecordBatch(tags=tags))
        refuse_over_count("tag", tags, self._capabilities.tags_per_run)
        with self._lock:
            adopted = self._adopted(new, tags)
            if adopted is not None:
                return adopted
            self.ensure_experiment(new.experiment)
            held = self._by_identity.get((new.experiment, name, text))
            if held is not None and self._runs[held].tags.get(name) == text:
                return self._writable(held).run_id
            # Ids in no order of time, so that nobody comes to rely on one.
            run_id = hashlib.sha256(str(len(self._runs)).encode()).hexdigest()[:32]
            self._runs[run_id] = _Run(run_id, new, tags)
            self._by_identity[new.experiment, name, text] = run_id
            return run_id

    def _adopted(self, new: NewRun, tags: dict[str, str]) -> str | None:
        run = self._runs.get(new.adopt or "")
        if run is None or run.lifecycle is Lifecycle.DELETED:
            return None
        name, text = new.identity(self._run_key_tag)
        key = run.tags.get(name)
        if key == text:
            return run.run_id
        taken = (new.experiment, name, text) in self._by_identity
        if key or (run.status.terminal and not new.adopt_ended) or taken:
            return None
        run.tags.update(tags)
        self._by_identity[run.new.experiment, name, text] = run.run_id
        return run.run_id

    def record(self, run_id: str, batch: RecordBatch) -> None:
        """See TrackingStore. Over a limit, nothing of the batch is stored."""
        refuse_over_limits(self._capabilities, batch)
        if not batch:
            return
        with self._lock:
            run = self._writable(run_id)
            names = run.metrics.keys() | {point.name for point in batch.metrics}
            refuse_over_count("metric", names, self._capabilities.metrics_per_run)
            refuse_over_count("param", run.params.keys() | batch.params, self._capabilities.params_per_run)
            refuse_over_count("tag", run.tags.keys() | batch.tags, self._capabilities.tags_per_run)
            conflicts = sorted(
                key for key, value in batch.params.items() if run.params.get(key, value) != value
            )
            run.params = {**batch.params, **run.params}
            run.tags.update(batch.tags)
            for point in batch.metrics:
                stored = MetricPoint(point.name, canonical_value(point.value), point.timestamp_ms, point.step)
                run.metrics.setdefault(point.name, {})[identity(stored)] = stored
        if conflicts:
            raise ParamRefused(
                f"the run {run_id} holds other values for the params {', '.join(conflicts)}",
                cure="params never change: open a new run for other values",
                run_id=run_id,
                params=tuple(conflicts),
            )

    def end_run(self, run_id: str, status: RunStatus, ended_at_ms: int) -> None:
        """See TrackingStore. The first end's time stays."""
        if not status.terminal:
            raise TrackingRefused(f"{status} is no end", cure="end with a terminal status")
        with self._lock:
            run = self._writable(run_id)
            if run.status is next_status(run.status, status, run=run_id):
                return
            run.status = status
            run.ended_at_ms = ended_at_ms

    def get_run(self, run_id: str) -> StoredRun:
        """See TrackingStore."""
        with self._lock:
            return _stored(self._existing(run_id))

    def find(self, query: RunQuery) -> Iterator[StoredRun]:
        """See TrackingStore. The state of the moment of the call."""
        with self._lock:
            runs = [_stored(run) for run in self._runs.values()]
        matches = sorted((run for run in runs if query.matches(run)), key=query.sort_key)
        return map(query.select_fields, matches[: query.limit])

    def metric_history(self, run_id: str, name: str) -> tuple[MetricPoint, ...]:
        """See TrackingStore."""
        with self._lock:
            points = self._existing(run_id).metrics.get(name, {})
            return tuple(sorted(points.values(), key=history_order))

    def experiments(self) -> tuple[str, ...]:
        """See TrackingStore."""
        with self._lock:
            active = (name for name, held in self._experiments.items() if held is Lifecycle.ACTIVE)
            return tuple(sorted(active))

    def delete_run(self, run_id: str) -> None:
        """See TrackingStore."""
        with self._lock:
            self._existing(run_id).lifecycle = Lifecycle.DELETED

    def delete_experiment(self, name: str) -> None:
        """Put an experiment and its runs in the bin, as a person does in a backend's own page."""
        with self._lock:
            self._experiments[name] = Lifecycle.DELETED
            for run in self._runs.values():
                if run.new.experiment == name:
                    run.lifecycle = Lifecycle.DELETED

    def run_url(self, run: StoredRun) -> str | None:  # noqa: ARG002
        """None: there is no page."""
        return None

    def close(self) -> None:
        """Nothing to give back."""

    def _existing(self, run_id: str) -> _Run:
        run = self._runs.get(run_id)
        if run is None:
            raise RunNotFound(
                f"no run has the id {run_id!r}", cure="`studbook runs` lists the runs", run_id=run_id
            )
        return run

    def _writable(self, run_id: str) -> _Run:
        run = self._existing(run_id)
        if run.lifecycle is Lifecycle.DELETED:
            raise RunDeleted(f"the run {run_id} is deleted", cure="restore it in the backend", run_id=run_id)
        return run


def _stored(run: _Run) -> StoredRun:
    return StoredRun(
        run_id=run.run_id,
        experiment=run.new.experiment,
        name=run.new.name,
        status=run.status,
        lifecycle=run.lifecycle,
        started_at_ms=run.new.started_at_ms,
        ended_at_ms=run.ended_at_ms,
        parent_id=run.new.parent_id,
        tags=dict(run.tags),
        params=dict(run.params),
        metrics={name: latest(points.values()).value for name, points in run.metrics.items()},
    )
