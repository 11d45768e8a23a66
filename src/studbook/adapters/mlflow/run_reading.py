"""Reading an MLflow store: runs, histories and names, complete and in the port's order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from itertools import islice
from types import MappingProxyType

from ...domain.errors import RunNotFound
from ...domain.store_writes import MetricPoint
from ...domain.stored_run import Lifecycle, StoredRun
from ...ports.metric_points import history_order, identity, latest
from ...ports.run_query import ANY_STATUS, RunQuery
from . import query_translation as translate
from .entities import metric_points, stored_run, view_code
from .errors import translated
from .filter_language import FilterLanguage
from .mlflow_store import MlflowStore
from .paging import Page, page_through

_ACTIVE = frozenset({Lifecycle.ACTIVE})
_AT_ONCE = 8
_AHEAD = 64


class RunReader:
    """The questions of `ports.tracking_store.TrackingStore`; `page` is the most rows that a page may have.

    Where the backend's search `lags`, what a fresh question finds is read once more, run by run, a few at a time.
    """

    def __init__(
        self, store: Callable[[], MlflowStore], page: int, filters: FilterLanguage, *, lags: bool
    ) -> None:
        self._store = store
        self._page = page
        self._filters = filters
        self._lags = lags

    def run(self, run_id: str) -> StoredRun:
        """The run, active or deleted."""
        with translated(run_id=run_id):
            run = self._store().get_run(run_id)
            experiment = self._store().get_experiment(run.info.experiment_id)
            return self._with_true_latest(stored_run(run, experiment.name))

    def nameless(self, run_id: str) -> StoredRun:
        """The run, without its experiment's name, which takes a server one more question."""
        with translated(run_id=run_id):
            return self._with_true_latest(stored_run(self._store().get_run(run_id), ""))

    def find(self, query: RunQuery, known: Mapping[str, str] = MappingProxyType({})) -> Iterator[StoredRun]:
        """All matches, read page by page while they are iterated. `known` are ids of experiments by name, which need
        not be asked for.
        """
        if translate.cannot_match(query):
            return
        given = 0
        for run in (
            self._as_of_now(query, known) if query.fresh and self._lags else self._ordered(query, known)
        ):
            if query.matches(run):
                yield self._with_true_latest(query.select_fields(run))
                given += 1
                if given == query.limit:
                    return

    def metric_history(self, run_id: str, name: str) -> tuple[MetricPoint, ...]:
        """All points of one metric."""
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
        """The names of all active experiments, sorted."""
        names: set[str] = set()
        token = None
        with translated():
            while True:
                page = self._store().search_experiments(
                    view_code(_ACTIVE), self._page, None, ["experiment_id ASC"], token
                )
                names.update(experiment.name for experiment in page)
                token = page.token
                if not token:
                    return tuple(sorted(names))

    def experiment_id(self, name: str) -> str | None:
        """The backend's id of an experiment, deleted or not."""
        with translated():
            experiment = self._store().get_experiment_by_name(name)
        return None if experiment is None else str(experiment.experiment_id)

    def _ordered(self, query: RunQuery, known: Mapping[str, str]) -> Iterator[StoredRun]:
        """All that MLflow's filter lets through, complete, in the query's order."""
        names = {}
        for name in query.experiments:
            experiment_id = known.get(name) or self.experiment_id(name)
            if experiment_id is not None:
                names[experiment_id] = name
        if not names:
            return
        pushed = translate.pushed_filter(query, self._filters)
        view = view_code(query.lifecycles)

        def fetch(start: int | None, size: int, token: str | None) -> Page:
            with translated():
                page = self._store().search_runs(
                    list(names),
                    translate.from_start_time(pushed, query.order, start, self._filters),
                    view,
                    size,
                    translate.order_by(query.order),
                    token,
                )
            return Page([stored_run(run, names[str(run.info.experiment_id)]) for run in page], page.token)

        first = self._page if query.limit is None else query.limit + 1
        yield from page_through(fetch, first_page=first, largest_page=self._page)

    def _as_of_now(self, query: RunQuery, known: Mapping[str, str]) -> Iterator[StoredRun]:
        """The same, but each read after it was found; params, metrics and status decide only then."""
        found_by = replace(query, statuses=ANY_STATUS, params={}, has_metrics=frozenset())
        found = filter(found_by.matches, self._ordered(found_by, known))
        pool = ThreadPoolExecutor(_AT_ONCE)
        try:
            while ahead := list(islice(found, _AHEAD)):
                readings = [pool.submit(copy_context().run, self._now, run) for run in ahead]
                yield from (run for reading in readings if (run := reading.result()) is not None)
        finally:
            pool.shutdown(cancel_futures=True)

    def _now(self, run: StoredRun) -> StoredRun | None:
        try:
            with translated(run_id=run.run_id):
                return stored_run(self._store().get_run(run.run_id), run.experiment)
        except RunNotFound:
            return None

    def _with_true_latest(self, run: StoredRun) -> StoredRun:
        """MLflow ranks NaN as zero among values of one step and timestamp; we rank it below every number."""
        missing = [name for name, value in run.metrics.items() if math.isnan(value)]
        if not missing:
            return run
        true = {name: latest(self.metric_history(run.run_id, name)).value for name in missing}
        return replace(run, metrics={**run.metrics, **true})
