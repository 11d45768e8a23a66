"""What Azure ML takes, where it is less than MLflow takes: a request against its rules gets a 400."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_EXPERIMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,255}")
_VALUE = re.compile(r"'[^']*'|\"[^\"]*\"")
_ORDER = re.compile(r"(attributes?\.)?(start_time|end_time|status|run_id|run_name|artifact_uri)( ASC| DESC)?")
_BARE_NUMBER = re.compile(r"attributes\.\w+ *(=|!=|<|<=|>|>=) *\d")
_UNTAKEN = {
    "OR is not supported": re.compile(r"\bOR\b"),
    "escaped names are not supported": re.compile(r"`"),
    "!= is not supported for tags": re.compile(r"\btags\.\S+ *!="),
    "status cannot be filtered by": re.compile(r"\battributes\.status\b"),
}


@dataclass(frozen=True)
class Rules:
    """The limits, in rows and characters; None switches one off. `filters` and `orders` are as Azure has them.

    Tags that begin with one of `drops` are dropped at a run's creation. A search that lags shows runs as they were
    created. `statuses` tells other words for MLflow's.
    """

    metrics_a_request: int | None = 200
    params_a_request: int | None = 100
    tags_a_request: int | None = 100
    params_a_run: int | None = 200
    tags_a_run: int | None = 50
    metrics_a_run: int | None = 50
    param_value: int | None = 500
    tag_value: int | None = 1000
    tag_key: int | None = 100
    metric_key: int | None = 255
    page: int | None = 500
    filters: bool = True
    orders: bool = True
    experiment_names: bool = True
    drops: tuple[str, ...] = ("mlflow.source.",)
    search_lags: bool = False
    statuses: Mapping[str, str] = field(default_factory=dict)

    def against(self, endpoint: str, asked: Mapping[str, Any], held: Mapping[str, Any]) -> str | None:
        """What of the request is against the rules; `held` is the data of the run that it writes to."""
        if page := _over("max_results", asked.get("max_results", 0), self.page):
            return page
        match endpoint:
            case "runs/log-batch" | "runs/create":
                return self._record(asked, held)
            case "runs/set-tag":
                return self._record({"tags": [asked]}, held)
            case "runs/search":
                return self._search(asked)
            case "experiments/create":
                return self._name(asked)
            case "experiments/update":
                return "an experiment cannot be renamed"
        return None

    def kept(self, tags: list[dict[str, str]]) -> list[dict[str, str]]:
        """The tags that a run is created with."""
        return [tag for tag in tags if not tag["key"].startswith(self.drops)]

    def told(self, run: dict[str, Any], *, by_search: bool) -> dict[str, Any]:
        """The run as the service tells it."""
        info = {**run["info"], "status": self.statuses.get(run["info"]["status"], run["info"]["status"])}
        if by_search and self.search_lags:
            born = {**info, "status": "RUNNING", "end_time": None}
            return {**run, "info": born, "data": {"tags": run["data"].get("tags", [])}}
        return {**run, "info": info}

    def _record(self, asked: Mapping[str, Any], held: Mapping[str, Any]) -> str | None:
        metrics, params, tags = (asked.get(kind) or [] for kind in ("metrics", "params", "tags"))
        return (
            _over("metrics", len(metrics), self.metrics_a_request)
            or _over("params", len(params), self.params_a_request)
            or _over("tags", len(tags), self.tags_a_request)
            or _over("param value", _longest(params, "value"), self.param_value)
            or _over("tag value", _longest(tags, "value"), self.tag_value)
            or _over("tag key", _longest(tags, "key"), self.tag_key)
            or _over("metric key", _longest(metrics, "key"), self.metric_key)
            or _over("metrics of the run", _together(metrics, held.get("metrics")), self.metrics_a_run)
            or _over("params of the run", _together(params, held.get("params")), self.params_a_run)
            or _over("tags of the run", _together(tags, held.get("tags")), self.tags_a_run)
        )

    def _search(self, asked: Mapping[str, Any]) -> str | None:
        clauses = _VALUE.sub("''", asked.get("filter") or "")
        if self.filters:
            if _BARE_NUMBER.search(clauses):
                return "values of attributes must be quoted"
            for refusal, pattern in _UNTAKEN.items():
                if pattern.search(clauses):
                    return refusal
        if self.orders and not all(map(_ORDER.fullmatch, asked.get("order_by") or [])):
            return "only attributes can be ordered by"
        return None

    def _name(self, asked: Mapping[str, Any]) -> str | None:
        if self.experiment_names and not _EXPERIMENT.fullmatch(asked["name"]):
            return f"the experiment name {asked['name']} is not valid"
        return None


def _over(field: str, size: object, limit: int | None) -> str | None:
    if limit is None or int(str(size)) <= limit:
        return None
    return f"The request is over a limit. FieldName={field}, Limit={limit}, Size={size}"


def _longest(rows: list[Mapping[str, str]], field: str) -> int:
    return max((len(row[field]) for row in rows), default=0)


def _together(rows: list[Mapping[str, str]], held: list[Mapping[str, str]] | None) -> int:
    return len({row["key"] for row in (*rows, *(held or []))}) if rows else 0
