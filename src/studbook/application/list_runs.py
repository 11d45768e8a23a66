"""The runs that match a filter, one after the other: what the store can find it finds, the rest is looked at here."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import nsmallest
from itertools import islice

from ..domain.errors import KeyReferenceInvalid
from ..domain.key_reference import KeyReference
from ..domain.keys import StudyKey
from ..domain.run_columns import Column
from ..domain.run_filter import RunFilter
from ..domain.run_view import RunView
from ..domain.stage import Stage
from ..domain.stored_run import Lifecycle
from ..ports.run_query import Order, RunQuery
from .run_catalog import RunCatalog
from .spill import is_spilled


@dataclass(frozen=True, slots=True)
class Sorting:
    """By a column, or by start time without one."""

    column: Column | None = None
    descending: bool = False


class ListRuns:
    """Lists runs of the project. Unsorted, runs are read while they are iterated."""

    def __init__(self, catalog: RunCatalog) -> None:
        self._catalog = catalog

    def __call__(
        self,
        wanted: RunFilter,
        *,
        experiments: tuple[str, ...] | None = None,
        sorting: Sorting = Sorting(),
        limit: int | None = None,
    ) -> Iterator[RunView]:
        """The matches; flushes first. `experiments` defaults to those of the project; one that is
        not there raises ExperimentNotFound.

        With a limit and no column: the newest so many. With a column, no more than `limit` runs are held.
        """
        self._catalog.catch_up()
        held = self._catalog.experiments() if experiments is None else experiments
        if experiments is not None and Lifecycle.DELETED not in wanted.lifecycles:
            self._catalog.check_experiments(experiments)
        if sorting.column is None:
            return self._by_start(wanted, held, limit, descending=sorting.descending)
        key = _key(sorting.column, descending=sorting.descending)
        found = self._matches(wanted, held, Order.STARTED_ASCENDING)
        return iter(sorted(found, key=key) if limit is None else nsmallest(limit, found, key=key))

    def studies(self, given: str) -> frozenset[str]:
        """The keys of the studies that somebody means: a key, 12 of its digits or more, or a name, which several
        studies may have. Raises KeyReferenceInvalid for a key of another kind; KeyAmbiguous.
        """
        sweeps = {
            run.study_key: self._catalog.vocabulary.read("study.name", run.tags)
            for run in self._all(RunFilter(stages=frozenset({Stage.SWEEP})))
        }
        named = frozenset(key for key, name in sweeps.items() if key is not None and name == given)
        try:
            reference = KeyReference.parse(given, StudyKey)
        except KeyReferenceInvalid:
            if ":" in given or (not named and not set(given) - _DIGITS):
                raise
            return named
        # A study whose sweeps are elsewhere is known by the runs that came of it.
        found = reference.only(sweeps) or reference.only(run.study_key for run in self._all(RunFilter()))
        return named if found is None else frozenset({found})

    def _all(self, wanted: RunFilter) -> Iterator[RunView]:
        return self._matches(wanted, self._catalog.experiments(), Order.STARTED_ASCENDING)

    def _by_start(
        self, wanted: RunFilter, experiments: tuple[str, ...], limit: int | None, *, descending: bool
    ) -> Iterator[RunView]:
        if limit is None:
            order = Order.STARTED_DESCENDING if descending else Order.STARTED_ASCENDING
            return self._matches(wanted, experiments, order)
        newest = islice(self._matches(wanted, experiments, Order.STARTED_DESCENDING), limit)
        if descending:
            return newest
        turned: deque[RunView] = deque()
        turned.extendleft(newest)
        return iter(turned)

    def _matches(self, wanted: RunFilter, experiments: tuple[str, ...], order: Order) -> Iterator[RunView]:
        past = wanted.is_over if order is Order.STARTED_ASCENDING else _not(wanted.has_begun)
        query = self._query(wanted, experiments, order)
        for run in self._catalog.stream(query, wanted.stages, _named(wanted)):
            if past(run.started_at_ms):
                return
            view = self._catalog.view(run)
            if wanted.matches(view):
                yield view

    def _query(self, wanted: RunFilter, experiments: tuple[str, ...], order: Order) -> RunQuery:
        """What the store can be asked: values that it may hold in another form are left to the filter."""
        limits = self._catalog.limits
        return RunQuery(
            experiments,
            wanted.statuses,
            tags={
                key: text
                for key, text in wanted.tags.items()
                if limits.tags_per_run is None and not is_spilled(text, limits.tag_value_length)
            },
            params={
                key: text
                for key, text in wanted.params.items()
                if limits.params_per_run is None and not is_spilled(text, limits.param_value_length)
            },
            has_metrics=frozenset(bound.name for bound in wanted.metrics if limits.metrics_per_run is None),
            lifecycles=wanted.lifecycles,
            order=order,
        )


_DIGITS = frozenset("0123456789abcdef")


def _named(wanted: RunFilter) -> dict[str, str]:
    named = {}
    if wanted.family is not None:
        named["study.model_family"] = wanted.family
    if wanted.studies is not None and len(wanted.studies) == 1:
        (named["study.key"],) = wanted.studies
    return named


def _not(question: Callable[[int], bool]) -> Callable[[int], bool]:
    return lambda started_at_ms: not question(started_at_ms)


def _key(column: Column, *, descending: bool) -> Callable[[RunView], tuple[object, ...]]:
    return lambda run: column.sort_key(run, descending=descending)
