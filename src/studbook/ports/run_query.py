"""A typed question to a tracking store: conditions joined by AND, an order, and the fields wanted."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from ..domain.run import RunStatus
from ..domain.stored_run import Lifecycle, StoredRun

V = TypeVar("V")

ANY_STATUS: frozenset[RunStatus] = frozenset(RunStatus)


class Order(StrEnum):
    """The declared total orders. Ties are broken by ascending run id."""

    STARTED_ASCENDING = "started_ascending"
    STARTED_DESCENDING = "started_descending"


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Which runs, in which order, with which fields.

    `statuses` is always explicit. `tags` and `params` are equalities on text; `tag_in` asks for any of several
    values; `has_metrics` asks that a last value exists, NaN included. `parent_id` is a backend id. An experiment
    that does not exist holds no runs. `fields` limits the tags, params and metrics that come back (None: all).
    What decides something asks `fresh`: where a backend's search lags, params, metrics and statuses are then read
    run by run, which takes long.
    """

    experiments: tuple[str, ...]
    statuses: frozenset[RunStatus]
    tags: dict[str, str] = field(default_factory=dict)
    tag_in: dict[str, frozenset[str]] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    has_metrics: frozenset[str] = frozenset()
    parent_id: str | None = None
    lifecycles: frozenset[Lifecycle] = frozenset({Lifecycle.ACTIVE})
    order: Order = Order.STARTED_ASCENDING
    limit: int | None = None
    fresh: bool = False
    tag_fields: frozenset[str] | None = None
    param_fields: frozenset[str] | None = None
    metric_fields: frozenset[str] | None = None

    def matches(self, run: StoredRun) -> bool:
        """Whether a complete run (all fields present) is one that is asked for."""
        return (
            run.experiment in self.experiments
            and run.status in self.statuses
            and run.lifecycle in self.lifecycles
            and self.parent_id in (None, run.parent_id)
            and all(run.tags.get(key) == value for key, value in self.tags.items())
            and all(run.tags.get(key) in values for key, values in self.tag_in.items())
            and all(run.params.get(key) == value for key, value in self.params.items())
            and self.has_metrics <= run.metrics.keys()
        )

    def sort_key(self, run: StoredRun) -> tuple[int, str]:
        """The key that sorts runs ascending into the declared order."""
        sign = 1 if self.order is Order.STARTED_ASCENDING else -1
        return (sign * run.started_at_ms, run.run_id)

    def select_fields(self, run: StoredRun) -> StoredRun:
        """The run with the asked-for fields only."""
        return StoredRun(
            run_id=run.run_id,
            experiment=run.experiment,
            name=run.name,
            status=run.status,
            lifecycle=run.lifecycle,
            started_at_ms=run.started_at_ms,
            ended_at_ms=run.ended_at_ms,
            parent_id=run.parent_id,
            tags=_pick(run.tags, self.tag_fields),
            params=_pick(run.params, self.param_fields),
            metrics=_pick(run.metrics, self.metric_fields),
        )


def _pick(mapping: dict[str, V], wanted: frozenset[str] | None) -> dict[str, V]:
    return dict(mapping) if wanted is None else {key: mapping[key] for key in mapping.keys() & wanted}
