"""The tracking store on MLflow: a SQLite file, a database server, or an MLflow server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from ...domain.errors import ParamRefused, TrackingRefused
from ...domain.run import RunStatus, next_status
from ...domain.store_writes import MetricPoint, RecordBatch
from ...domain.stored_run import Lifecycle, StoredRun
from ...ports.capabilities import Capabilities
from ...ports.metric_points import identity
from ...ports.run_query import RunQuery
from ...ports.tracking_store import NewRun
from ...ports.write_limits import refuse_over_count, refuse_over_limits
from .adoption import RunAdoption
from .backend import Backend
from .batching import requests
from .entities import metric_entities, param_entities, status_code, tag_entities
from .errors import translated
from .mlflow_store import MlflowStore
from .patience import ONCE, Patience
from .rest_calls import TIMEOUT_S
from .run_creation import RunCreation, run_deleted
from .run_reading import RunReader
from .tracking_backend import TrackingBackend

_LIMITS = Capabilities()


class MlflowTrackingStore:
    """Thread-safe. MLflow is imported, and the database opened or made, at first use.

    `target` is `sqlite:///<absolute path>`, `postgresql://…` (mysql and mssql go the same way), `http://…` or
    `https://…`, else UnsupportedTarget; or a backend. `artifact_root` is where new experiments keep their
    artifacts; for SQLite by default `mlartifacts` beside the database, for a database server ConfigError without one.
    `run_key_tag` is the tag that holds a run's key; a key names one run of its experiment. MLflow offers no
    compare-and-set and no idempotency key: between threads of one store a lock stands in for them, between
    processes a relay's lease must.

    Of a server: it may stay silent for `timeout_s` seconds a request; questions are repeated as `patience`
    says, writes are sent once, and so is what they ask first. TrackingUnavailable then has in its `details`
    `retry_after_s` if the server said so, and `outcome="unknown"` if the write may have been done.
    """

    def __init__(
        self,
        target: str | TrackingBackend,
        *,
        run_key_tag: str,
        artifact_root: str | None = None,
        capabilities: Capabilities = _LIMITS,
        timeout_s: float = TIMEOUT_S,
        patience: Patience = Patience(),
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._backend = Backend.of(target, artifact_root) if isinstance(target, str) else target
        self._capabilities = capabilities
        self._timeout_s = timeout_s
        self._patience = patience
        self._opened: tuple[MlflowStore, MlflowStore] | None = None
        self._experiment_ids: dict[str, str] = {}  # of run pages: asked for once, not once a run
        self._opening = threading.Lock()
        self._deciding = threading.Lock()
        page, filters, lags = (
            capabilities.search_page,
            self._backend.filters,
            capabilities.visibility_delay_s > 0,
        )
        self._reader = RunReader(self._store, page, filters, lags=lags)
        self._questions = RunReader(self._patient_store, page, filters, lags=lags)
        self._adoption = RunAdoption(self._store, self._reader, run_key_tag)
        self._tables = self._backend.table_reader()
        self._creation = RunCreation(
            self._backend, self._store, self._reader, capabilities, run_key_tag, monotonic_s
        )

    @property
    def capabilities(self) -> Capabilities:
        """MLflow's limits."""
        return self._capabilities

    def ensure_experiment(self, name: str) -> None:
        """See TrackingStore."""
        with self._deciding:
            self._creation.ensure_experiment(name)

    def create_run(self, new: NewRun) -> str:
        """See TrackingStore.

        Of several active runs with the key the one with the smallest (start time, run id) is the run; those
        that were created with the same tags are repeated creations of ours, and are put in the bin.
        """
        with self._deciding:
            return self._adoption.adopt(new) or self._creation.create(new)

    def record(self, run_id: str, batch: RecordBatch) -> None:
        """See TrackingStore. Over a length limit, nothing of the batch is stored."""
        refuse_over_limits(self._capabilities, batch)
        names = {point.name for point in batch.metrics}
        refuse_over_count("metric", names, self._capabilities.metrics_per_run)
        refuse_over_count("param", batch.params, self._capabilities.params_per_run)
        refuse_over_count("tag", batch.tags, self._capabilities.tags_per_run)
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
        return self._questions.run(run_id)

    def find(self, query: RunQuery) -> Iterator[StoredRun]:
        """See TrackingStore. A database whose tables are known is read at once, else page by page, when the result is
        iterated.
        """
        found = None if self._tables is None else self._tables.find(query)
        yield from self._questions.find(query) if found is None else found

    def metric_history(self, run_id: str, name: str) -> tuple[MetricPoint, ...]:
        """See TrackingStore."""
        return self._questions.metric_history(run_id, name)

    def experiments(self) -> tuple[str, ...]:
        """See TrackingStore."""
        found = None if self._tables is None else self._tables.experiments()
        return self._questions.experiments() if found is None else found

    def delete_run(self, run_id: str) -> None:
        """See TrackingStore."""
        with translated(run_id=run_id):
            self._store().delete_run(run_id)

    def run_url(self, run: StoredRun) -> str | None:
        """See TrackingStore. None for a database."""
        if not self._backend.is_server:
            return None
        experiment_id = self._experiment_ids.get(run.experiment)
        if experiment_id is None:
            experiment_id = self._questions.experiment_id(run.experiment)
            if experiment_id is None:
                return None
            self._experiment_ids[run.experiment] = experiment_id
        return self._backend.run_page(experiment_id, run.run_id)

    def close(self) -> None:
        """See TrackingStore. A later call opens the backend again."""
        with self._opening:
            opened, self._opened = self._opened, None
        engine = None if opened is None else getattr(opened[0], "engine", None)
        if engine is not None:
            engine.dispose()
        if self._tables is not None:
            self._tables.close()

    def _store(self) -> MlflowStore:
        return self._stores()[0]

    def _patient_store(self) -> MlflowStore:
        return self._stores()[1]

    def _stores(self) -> tuple[MlflowStore, MlflowStore]:
        with self._opening:
            if self._opened is None:
                once = self._backend.open(timeout_s=self._timeout_s, patience=ONCE)
                patient = once
                if self._backend.is_server:
                    patient = self._backend.open(timeout_s=self._timeout_s, patience=self._patience)
                self._opened = once, patient
            return self._opened

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
        # The newest points first: MLflow writes a metric's latest value anew for each point that is newer.
        newest_first = reversed(request.metrics)
        with translated(run_id=run_id):
            self._store().log_batch(
                run_id,
                metric_entities(newest_first),
                param_entities(request.params),
                tag_entities(request.tags),
            )

    def _undelivered(self, run_id: str, request: RecordBatch) -> tuple[RecordBatch, set[str]]:
        stored = self._writable(run_id)
        conflicts = {key for key, value in request.params.items() if stored.params.get(key, value) != value}
        points: set[tuple[object, ...]] = set()
        for name in {point.name for point in request.metrics} & stored.metrics.keys():
            points |= {identity(point) for point in self._reader.metric_history(run_id, name)}
        remainder = RecordBatch(
            params={key: value for key, value in request.params.items() if key not in stored.params},
            metrics=tuple(point for point in request.metrics if identity(point) not in points),
            tags=request.tags,
        )
        return remainder, conflicts

    def _writable(self, run_id: str) -> StoredRun:
        run = self._reader.nameless(run_id)
        if run.lifecycle is Lifecycle.DELETED:
            raise run_deleted(run_id)
        return run
