"""A run of ours as MLflow's active one, in a workspace."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ..mlflow.fluent_runs import MlflowFluentRuns
from .credentials import token_errors
from .plugin import host_credentials
from .workspace import Workspace


class AzureFluentRuns:
    """Thread-safe. The plugin is given our credential, with a token, first: else it would look for one, and ask a
    person.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._opening = threading.Lock()
        self._opened: MlflowFluentRuns | None = None

    @contextmanager
    def active(self, run_id: str) -> Iterator[None]:
        """See FluentRuns. Raises the TrackingError tree when MLflow cannot reach the run."""
        with self._runs().active(run_id):
            yield

    def _runs(self) -> MlflowFluentRuns:
        with self._opening, token_errors():
            host_credentials(self._workspace)()
            if self._opened is None:
                self._opened = MlflowFluentRuns(self._workspace.uri)
            return self._opened
