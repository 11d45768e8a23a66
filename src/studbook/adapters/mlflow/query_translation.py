"""A RunQuery in MLflow's filter language: what can be pushed down; the rest is checked on what comes back.

The pushed filter never excludes a match. It may let others through, so every run is still asked
`RunQuery.matches`.
"""

from __future__ import annotations

from ...domain.run import RunStatus
from ...ports.run_query import Order, RunQuery
from .entities import PARENT_TAG
from .filter_language import MLFLOW, FilterLanguage


def pushed_filter(query: RunQuery, language: FilterLanguage = MLFLOW) -> str:
    """The clauses that the backend can check, joined by AND; empty when there are none."""
    one_of_one = {key: min(values) for key, values in query.tag_in.items() if len(values) == 1}
    parent = {} if query.parent_id is None else {PARENT_TAG: query.parent_id}
    clauses = _status_clauses(query.statuses) if language.statuses else []
    clauses += _equalities("tags", parent, language)
    clauses += _equalities("tags", query.tags, language)
    clauses += _equalities("tags", one_of_one, language)
    clauses += _equalities("params", query.params, language)
    return " AND ".join(clauses)


def from_start_time(
    pushed: str, order: Order, start_time_ms: int | None, language: FilterLanguage = MLFLOW
) -> str:
    """The filter for the next page: everything from this start time on, in the given order."""
    if start_time_ms is None:
        return pushed
    comparator = ">=" if order is Order.STARTED_ASCENDING else "<="
    bound = f"attributes.start_time {comparator} {language.number(start_time_ms)}"
    return f"{pushed} AND {bound}" if pushed else bound


def order_by(order: Order) -> list[str]:
    """MLflow's order clauses; ties come by ascending run id."""
    return [f"attributes.start_time {'ASC' if order is Order.STARTED_ASCENDING else 'DESC'}"]


def cannot_match(query: RunQuery) -> bool:
    """Whether no run can match, whatever the store holds."""
    return (
        not query.experiments
        or not query.statuses
        or not query.lifecycles
        or not all(query.tag_in.values())
        or (query.limit is not None and query.limit <= 0)
    )


def _status_clauses(statuses: frozenset[RunStatus]) -> list[str]:
    # MLflow knows SCHEDULED too, which reads as RUNNING: so RUNNING itself is never asked for.
    if len(statuses) == 1 and RunStatus.RUNNING not in statuses:
        return [f"attributes.status = '{min(statuses)}'"]
    return [f"attributes.status != '{status}'" for status in RunStatus if status not in statuses]


def _equalities(kind: str, wanted: dict[str, str], language: FilterLanguage) -> list[str]:
    clauses = []
    for key, value in sorted(wanted.items()):
        quote, name = _quote(value), language.key(kind, key)
        if quote is not None and name is not None:
            clauses.append(f"{name} = {quote}{value}{quote}")
    return clauses


def _quote(value: str) -> str | None:
    """The quote that carries the value as it is. There is no escape; a backslash hides the closing one."""
    if not value.isprintable() or "\\" in value:
        return None
    return next((quote for quote in "'\"" if quote not in value), None)
