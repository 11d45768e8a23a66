"""The tracking store on MLflow: a SQLite file, or a server."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from dataclasses import replace

from ...domain.errors import (
    ExperimentDeleted,
    ParamRefused,
    RunDeleted,
    TrackingRefused,
)
from ...domain.run import RunStatus, next_status
from ...domain.store_writes import MetricPoint, RecordBatch
from ...domain.stored_run import Lifecycle, StoredRun
from ...ports.capabilities import Capabilities
from ...ports.metric_points import history_order, identity, latest
from ...ports.run_query import ANY_STATUS, RunQuery
from ...ports.tracking_store import NewRun
from ...ports.write_limits import refuse_over_limits
from . import query_translation as translate
from .backend import Backend
from .batching import requests
from .entities import (
    PARENT_TAG,
    metric_entities,
    metric_points,
    param_entities,
    status_code,
    stored_run,
    tag_entities,
    view_code,
)
from .errors import translated
from .mlflow_store import MlflowStore
from .paging import Page, page_through

_LIMITS = Capabilities()
_ANYWHERE = frozenset(Lifecycle)
_ACTIVE = frozenset({Lifecycle.ACTIVE})


class MlflowTrackingStore:
    """Thread-safe. MLflow is imported, and the database opened or made, at first use.

    `uri` is `sqlite:///<absolute path>`, `http://…` or `https://…`, else UnsupportedTarget. `artifact_root`
    is where new experiments keep their artifacts; for SQLite by default `mlartifacts` beside the database.
    `run_key_tag` is the tag that holds a run's key; a key names one run of its experiment. MLflow offers no
    compare-and-set and no idempotency key: between threads of one store a lock stands in for them, between
    processes a relay's lease must.
    """

    def __init__(
        self,
        uri: str,
        *,
        run_key_tag: str,
        artifact_root: str | None = None,
        capabilities: Capabilities = _LIMITS,
    ) -> None:
        self._backend = Backend.of(uri, artifact_root)
        self._run_key_tag = run_key_tag
        self._capabilities = capabilities
        self._opened: MlflowStore | None = None
        self._opening = threading.Lock()
        self._deciding = threading.Lock()

    @property
    def capabilities(self) -> Capabilities:
        """MLflow's limits."""
        return self._capabilities

    def create_run(self, new: NewRun) -> str:
        """See TrackingStore.

        Of several active runs with the key the one with the smallest (start time, run id) is the run; those
        that were created with the same tags are repeated creations of ours, and are put in the bin.
        """
        tags = {**new.tags, self._run_key_tag: str(new.run_key)}
        refuse_over_limits(self._capabilities, RecordBatch(tags=tags))
        if new.parent_id is not None:
            tags[PARENT_TAG] = new.parent_id
        with self._deciding, translated():
            experiment_id = self._ensure_experiment(new.experiment)
            held = self._held(new, tags)
            if held is not None:
                return held
            created = self._store().create_run(
                experiment_id,
                tags.get("mlflow.user", "unknown"),
                new.started_at_ms,
                tag_entities(tags),
                new.name,
            )
            return str(created.info.run_id)

    def record(self, run_id: str, batch: RecordBatch) -> None:
        """See TrackingStore. Over a length limit, nothing of the batch is stored."""
        refuse_over_limits(self._capabilities, batch)
        conflicts: set[str] = set()
        for request in requests(batch, self._capabilities):
            conflicts |= self._send(run_id, request)
        if conflicts:
            raise ParamRefused(
                f"the run {run_id} holds other values for the params {', '.join(sorted(conflicts))}",
                cure="params never change: open a new run for other values",
                run_id=run_id,
                params=tuple(sorted(conflicts)),
            )

    def end_run(self, run_id: str, status: RunStatus, ended_at_ms: int) -> None:
        """See TrackingStore. The first end's time stays."""
        if not status.terminal:
            raise TrackingRefused(f"{status} is no end", cure="end with a terminal status")
        with self._deciding:
            current = self._writable(run_id).status
            if current is next_status(current, status, run=run_id):
                return
            with translated(run_id=run_id):
                self._store().update_run_info(run_id, status_code(status), ended_at_ms, None)

    def get_run(self, run_id: str) -> StoredRun:
        """See TrackingStore."""
        with translated(run_id=run_id):
            run = self._store().get_run(run_id)
            experiment = self._store().get_experiment(run.info.experiment_id)
            return self._with_true_latest(stored_run(run, experiment.name))

    def find(self, query: RunQuery) -> Iterator[StoredRun]:
        """See TrackingStore. Reads page by page, while it is iterated."""
        if translate.cannot_match(query):
            return
        given = 0
        for run in self._ordered(query):
            if query.matches(run):
                yield self._with_true_latest(query.select_fields(run))
                given += 1
                if given == query.limit:
                    return

    def metric_history(self, run_id: str, name: str) -> tuple[MetricPoint, ...]:
        """See TrackingStore."""
        points = {}
        token = None
        with translated(run_id=run_id):
            while True:
                page = self._store().get_metric_history(run_id, name, None, token)
                points.update({identity(point): point for point in metric_points(page)})
                token = page.token
                if not token:
                    break
            if not points:
                self._store().get_run(run_id)  # tells a run without the metric from no run
        return tuple(sorted(points.values(), key=history_order))

    def experiments(self) -> tuple[str, ...]:
        """See TrackingStore."""
        names: set[str] = set()
        token = None
        with translated():
            while True:
                page = self._store().search_experiments(
                    view_code(_ACTIVE), self._capabilities.search_page, None, ["experiment_id ASC"], token
                )
                names.update(experiment.name for experiment in page)
                token = page.token
                if not token:
                    return tuple(sorted(names))

    def delete_run(self, run_id: str) -> None:
        """See TrackingStore."""
        with translated(run_id=run_id):
            self._store().delete_run(run_id)

    def run_url(self, run: StoredRun) -> str | None:
        """See TrackingStore. None for a database."""
        if self._backend.database is not None:
            return None
        with translated():
            experiment = self._store().get_experiment_by_name(run.experiment)
        return None if experiment is None else self._backend.run_page(experiment.experiment_id, run.run_id)

    def close(self) -> None:
        """See TrackingStore. A later call opens the backend again."""
        with self._opening:
            engine = getattr(self._opened, "engine", None)
            self._opened = None
        if engine is not None:
            engine.dispose()

    def _store(self) -> MlflowStore:
        with self._opening:
            if self._opened is None:
                self._opened = self._backend.open()
            return self._opened

    def _ensure_experiment(self, name: str) -> str:
        experiment = self._store().get_experiment_by_name(name)
        if experiment is None:
            try:
                with translated():
                    location = self._backend.artifact_location(name)
                    return str(self._store().create_experiment(name, location, []))
            except TrackingRefused:
                # Another process may have made it in the meantime.
                experiment = self._store().get_experiment_by_name(name)
                if experiment is None:
                    raise
        if experiment.lifecycle_stage != Lifecycle.ACTIVE:
            raise ExperimentDeleted(
                f"the experiment {name!r} is deleted", cure="restore it, or use another name", experiment=name
            )
        return str(experiment.experiment_id)

    def _held(self, new: NewRun, tags: dict[str, str]) -> str | None:
        query = RunQuery(
            (new.experiment,), ANY_STATUS, tags={self._run_key_tag: str(new.run_key)}, lifecycles=_ANYWHERE
        )
        held = [run for run in self._ordered(query) if query.matches(run)]
        active = [run for run in held if run.lifecycle is Lifecycle.ACTIVE]
        if held and not active:
            raise _deleted(held[0].run_id)
        for repeated in active[1:]:
            if tags.items() <= repeated.tags.items():
                self._store().delete_run(repeated.run_id)
        return active[0].run_id if active else None

    def _send(self, run_id: str, request: RecordBatch, *, again: bool = True) -> set[str]:
        """Store the request; the params that hold another value come back, the rest of it is stored."""
        try:
            self._log_batch(run_id, request)
        except TrackingRefused as refusal:
            remainder, conflicts = self._undelivered(run_id, request)
            if remainder == request:
                # A write at the same moment can fail a request that is fine: once more, and once only.
                if not again or refusal.details.get("code") != "BAD_REQUEST":
                    raise
                return self._send(run_id, request, again=False)
            if remainder:
                conflicts |= self._send(run_id, remainder)
            return conflicts
        return set()

    def _log_batch(self, run_id: str, request: RecordBatch) -> None:
        with translated(run_id=run_id):
            self._store().log_batch(
                run_id,
                metric_entities(request.metrics),
                param_entities(request.params),
                tag_entities(request.tags),
            )

    def _undelivered(self, run_id: str, request: RecordBatch) -> tuple[RecordBatch, set[str]]:
        stored = self._writable(run_id)
        conflicts = {key for key, value in request.params.items() if stored.params.get(key, value) != value}
        points: set[tuple[object, ...]] = set()
        for name in {point.name for point in request.metrics} & stored.metrics.keys():
            points |= {identity(point) for point in self.metric_history(run_id, name)}
        remainder = RecordBatch(
            params={key: value for key, value in request.params.items() if key not in stored.params},
            metrics=tuple(point for point in request.metrics if identity(point) not in points),
            tags=request.tags,
        )
        return remainder, conflicts

    def _writable(self, run_id: str) -> StoredRun:
        run = self.get_run(run_id)
        if run.lifecycle is Lifecycle.DELETED:
            raise _deleted(run_id)
        return run

    def _ordered(self, query: RunQuery) -> Iterator[StoredRun]:
        """All that MLflow's filter lets through, complete, in the query's order."""
        names = {}
        with translated():
            for name in query.experiments:
                experiment = self._store().get_experiment_by_name(name)
                if experiment is not None:
                    names[str(experiment.experiment_id)] = name
        if not names:
            return
        pushed = translate.pushed_filter(query)
        view = view_code(query.lifecycles)

        def fetch(start: int | None, size: int, token: str | None) -> Page:
            with translated():
                page = self._store().search_runs(
                    list(names),
                    translate.from_start_time(pushed, query.order, start),
                    view,
                    size,
                    translate.order_by(query.order),
                    token,
                )
            return Page([stored_run(run, names[str(run.info.experiment_id)]) for run in page], page.token)

        largest = self._capabilities.search_page
        first = largest if query.limit is None else query.limit + 1
        yield from page_through(fetch, first_page=first, largest_page=largest)

    def _with_true_latest(self, run: StoredRun) -> StoredRun:
        """MLflow ranks NaN as zero among values of one step and timestamp; we rank it below every number."""
        missing = [name for name, value in run.metrics.items() if math.isnan(value)]
        if not missing:
            return run
        true = {name: latest(self.metric_history(run.run_id, name)).value for name in missing}
        return replace(run, metrics={**run.metrics, **true})


def _deleted(run_id: str) -> RunDeleted:
    return RunDeleted(f"the run {run_id} is deleted", cure="restore it in the backend", run_id=run_id)
