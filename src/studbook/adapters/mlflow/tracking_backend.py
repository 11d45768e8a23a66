"""What the tracking store asks of the place that its runs are in."""

from __future__ import annotations

from typing import Protocol

from .filter_language import FilterLanguage
from .mlflow_store import MlflowStore
from .patience import Patience
from .sql_run_reading import SqlRunReader


class TrackingBackend(Protocol):
    """An MLflow backend, or something that talks like one, that is not opened yet."""

    @property
    def uri(self) -> str:
        """What MLflow's own clients take."""
        ...

    @property
    def is_server(self) -> bool:
        """Whether it is reached by requests, and has pages for people."""
        ...

    @property
    def filters(self) -> FilterLanguage:
        """What it can filter by."""
        ...

    def open(self, *, timeout_s: float, patience: Patience) -> MlflowStore:
        """The store; time-out and patience are those of a server's questions."""
        ...

    def table_reader(self) -> SqlRunReader | None:
        """Reads runs from the tables themselves; None where there are no known ones."""
        ...

    def artifact_location(self, experiment: str) -> str | None:
        """Where a new experiment's artifacts go; None when the backend decides."""
        ...

    def run_page(self, experiment_id: str, run_id: str) -> str | None:
        """The run's page for people, or None."""
        ...
