"""MLflow's REST interface as the store object that the adapter uses."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ...domain.errors import TrackingError, TrackingRefused
from .errors import unreadable_answer
from .rest_calls import Json, RestCalls

if TYPE_CHECKING:
    from mlflow.entities import Experiment, Metric, Param, Run, RunTag
    from mlflow.store.entities.paged_list import PagedList

T = TypeVar("T")

_API = "/api/2.0/mlflow"
_HISTORY_PAGE = 25_000
_OK = 200


class RestStore:
    """See `MlflowStore`. Reads are repeated as the calls' patience says; writes are sent once.

    `history_page` is how many points of a metric are asked for at once.
    """

    def __init__(self, calls: RestCalls, *, history_page: int = _HISTORY_PAGE) -> None:
        self._calls = calls
        self._history_page = history_page

    def get_experiment(self, experiment_id: str, /) -> Experiment:
        """See MlflowStore."""
        answer = self._calls.get(f"{_API}/experiments/get", {"experiment_id": experiment_id})
        return _parsed(_experiment, answer, "experiment")

    def get_experiment_by_name(self, experiment_name: str, /) -> Experiment | None:
        """See MlflowStore."""
        try:
            answer = self._calls.get(f"{_API}/experiments/get-by-name", {"experiment_name": experiment_name})
        except TrackingError as error:
            if error.details.get("code") in ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"):
                return None
            raise
        return _parsed(_experiment, answer, "experiment")

    def create_experiment(self, name: str, artifact_location: str | None, tags: Sequence[RunTag], /) -> str:
        """See MlflowStore."""
        body: Json = {"name": _text(name), "tags": _pairs(tags)}
        if artifact_location is not None:
            body["artifact_location"] = artifact_location
        answer = self._calls.write(f"{_API}/experiments/create", body)
        return _parsed(str, answer, "experiment_id", written=True)

    def search_experiments(
        self,
        view_type: int,
        max_results: int,
        filter_string: str | None,
        order_by: list[str],
        page_token: str | None,
        /,
    ) -> PagedList[Experiment]:
        """See MlflowStore."""
        body = {
            "view_type": _view(view_type),
            "max_results": max_results,
            "filter": filter_string or "",
            "order_by": order_by,
            "page_token": page_token or "",
        }
        return _page(_experiment, self._calls.search(f"{_API}/experiments/search", body), "experiments")

    def create_run(
        self, experiment_id: str, user_id: str, start_time: int, tags: Sequence[RunTag], run_name: str, /
    ) -> Run:
        """See MlflowStore."""
        body = {
            "experiment_id": experiment_id,
            "user_id": user_id,
            "run_name": _text(run_name),
            "start_time": _int64(start_time),
            "tags": _pairs(tags),
        }
        return _parsed(_run, self._calls.write(f"{_API}/runs/create", body), "run", written=True)

    def get_run(self, run_id: str, /) -> Run:
        """See MlflowStore."""
        return _parsed(_run, self._calls.get(f"{_API}/runs/get", {"run_id": run_id}, run_id=run_id), "run")

    def update_run_info(self, run_id: str, run_status: int, end_time: int, run_name: str | None, /) -> None:
        """See MlflowStore."""
        from mlflow.entities import RunStatus

        status = RunStatus.to_string(run_status)  # type: ignore[no-untyped-call]
        body: Json = {"run_id": run_id, "status": status, "end_time": _int64(end_time)}
        if run_name is not None:
            body["run_name"] = _text(run_name)
        self._calls.write(f"{_API}/runs/update", body, run_id=run_id)

    def delete_run(self, run_id: str, /) -> None:
        """See MlflowStore."""
        self._calls.write(f"{_API}/runs/delete", {"run_id": run_id}, run_id=run_id)

    def log_batch(
        self, run_id: str, metrics: Sequence[Metric], params: Sequence[Param], tags: Sequence[RunTag], /
    ) -> None:
        """See MlflowStore."""
        rows = [
            {
                "key": _text(row.key),
                "value": _json_number(row.value),
                "timestamp": _int64(row.timestamp),
                "step": _int64(row.step),
            }
            for row in metrics
        ]
        body = {"run_id": run_id, "metrics": rows, "params": _pairs(params), "tags": _pairs(tags)}
        self._calls.write(f"{_API}/runs/log-batch", body, run_id=run_id)

    def set_tag(self, run_id: str, tag: RunTag, /) -> None:
        """See MlflowStore."""
        (pair,) = _pairs([tag])
        self._calls.write(f"{_API}/runs/set-tag", {"run_id": run_id, **pair}, run_id=run_id)

    def search_runs(
        self,
        experiment_ids: list[str],
        filter_string: str,
        run_view_type: int,
        max_results: int,
        order_by: list[str],
        page_token: str | None,
        /,
    ) -> PagedList[Run]:
        """See MlflowStore."""
        body = {
            "experiment_ids": experiment_ids,
            "filter": filter_string,
            "run_view_type": _view(run_view_type),
            "max_results": max_results,
            "order_by": order_by,
            "page_token": page_token or "",
        }
        return _page(_run, self._calls.search(f"{_API}/runs/search", body), "runs")

    def get_metric_history(
        self, run_id: str, metric_key: str, max_results: int | None, page_token: str | None, /
    ) -> PagedList[Metric]:
        """See MlflowStore."""
        params: dict[str, object] = {
            "run_id": run_id,
            "metric_key": metric_key,
            "max_results": max_results or self._history_page,
        }
        if page_token:
            params["page_token"] = page_token
        answer = self._calls.get(f"{_API}/metrics/get-history", params, run_id=run_id)
        return _page(_metric, answer, "metrics")


def _parsed(read: Callable[[Any], T], answer: Json, field: str, *, written: bool = False) -> T:
    try:
        return read(answer[field])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise unreadable_answer(_OK, writes=written) from error


def _page(read: Callable[[Any], T], answer: Json, field: str) -> PagedList[T]:
    from mlflow.store.entities.paged_list import PagedList

    try:
        rows = [read(row) for row in answer.get(field, [])]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise unreadable_answer(_OK, writes=False) from error
    return PagedList(rows, answer.get("next_page_token") or None)


def _experiment(answer: Json) -> Experiment:
    from mlflow.entities import Experiment

    return Experiment(  # type: ignore[no-untyped-call]
        str(answer["experiment_id"]),
        str(answer["name"]),
        answer.get("artifact_location"),
        answer["lifecycle_stage"],
    )


def _run(answer: Json) -> Run:
    from mlflow.entities import Param, Run, RunData, RunInfo, RunTag

    info, data = answer["info"], answer.get("data", {})
    ended = info.get("end_time")
    return Run(
        RunInfo(  # type: ignore[no-untyped-call]
            run_id=str(info.get("run_id") or info["run_uuid"]),
            experiment_id=str(info["experiment_id"]),
            user_id=str(info.get("user_id") or ""),
            status=str(info["status"]),
            start_time=int(info.get("start_time") or 0),
            end_time=int(ended) if ended else None,
            lifecycle_stage=info["lifecycle_stage"],
            artifact_uri=info.get("artifact_uri"),
            run_name=info.get("run_name"),
        ),
        RunData(  # type: ignore[no-untyped-call]
            metrics=[_metric(row) for row in data.get("metrics", [])],
            params=[Param(row["key"], row.get("value", "")) for row in data.get("params", [])],  # type: ignore[no-untyped-call]
            tags=[RunTag(row["key"], row.get("value", "")) for row in data.get("tags", [])],  # type: ignore[no-untyped-call]
        ),
    )


def _metric(row: Json) -> Metric:
    from mlflow.entities import Metric

    # Numbers come as numbers or as text; NaN and infinity always as text. A zero may be left out.
    return Metric(
        row["key"], float(row.get("value", 0.0)), int(row.get("timestamp", 0)), int(row.get("step", 0))
    )


def _json_number(value: float) -> float | str:
    """JSON has no word for what is not finite: MLflow takes `NaN`, `Infinity` and `-Infinity` as text."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _int64(value: int) -> int:
    """The number. What does not fit a server reads as 0, and says nothing."""
    if not -(2**63) <= value < 2**63:
        raise TrackingRefused(
            f"{value} is too large for a server", cure="give times in milliseconds, and smaller steps"
        )
    return value


def _text(value: str) -> str:
    """The text. What is not Unicode a server stores as nothing, and says nothing."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise TrackingRefused(
            f"{value!a:.80} holds half a character", cure="correct the text's encoding"
        ) from error
    return value


def _pairs(items: Sequence[Param | RunTag]) -> list[dict[str, str]]:
    return [{"key": _text(item.key), "value": _text(item.value)} for item in items]


def _view(view_type: int) -> str:
    from mlflow.entities import ViewType

    return str(ViewType.to_string(view_type)).upper()  # type: ignore[no-untyped-call]
