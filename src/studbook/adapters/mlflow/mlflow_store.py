"""What is used of MLflow's store objects, with types: its SQL store has it, and so has our `RestStore`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mlflow.entities import Experiment, Metric, Param, Run, RunTag
    from mlflow.store.entities.paged_list import PagedList


class MlflowStore(Protocol):
    """Every method raises what `errors.translated` understands. Times are UTC milliseconds."""

    def get_experiment(self, experiment_id: str, /) -> Experiment:
        """The experiment, deleted or not."""
        ...

    def get_experiment_by_name(self, experiment_name: str, /) -> Experiment | None:
        """The experiment, deleted or not."""
        ...

    def create_experiment(self, name: str, artifact_location: str | None, tags: Sequence[RunTag], /) -> str:
        """The new experiment's id. Without a location the backend chooses one."""
        ...

    def search_experiments(
        self,
        view_type: int,
        max_results: int,
        filter_string: str | None,
        order_by: list[str],
        page_token: str | None,
        /,
    ) -> PagedList[Experiment]:
        """One page."""
        ...

    def create_run(
        self, experiment_id: str, user_id: str, start_time: int, tags: Sequence[RunTag], run_name: str, /
    ) -> Run:
        """A new run, each time."""
        ...

    def get_run(self, run_id: str, /) -> Run:
        """The run, deleted or not."""
        ...

    def update_run_info(self, run_id: str, run_status: int, end_time: int, run_name: str | None, /) -> object:
        """Write the status, unconditionally."""
        ...

    def delete_run(self, run_id: str, /) -> None:
        """Put the run in the bin."""
        ...

    def log_batch(
        self, run_id: str, metrics: Sequence[Metric], params: Sequence[Param], tags: Sequence[RunTag], /
    ) -> None:
        """One request."""
        ...

    def set_tag(self, run_id: str, tag: RunTag, /) -> None:
        """One request."""
        ...

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
        """One page."""
        ...

    def get_metric_history(
        self, run_id: str, metric_key: str, max_results: int | None, page_token: str | None, /
    ) -> PagedList[Metric]:
        """One page, or all; None leaves the number to the store."""
        ...
