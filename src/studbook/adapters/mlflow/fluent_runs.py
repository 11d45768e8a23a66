"""A run of ours as MLflow's active one, so that autolog and `mlflow.log_figure` write into it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ...domain.errors import ConfigError, TrackingError
from .errors import translated

_URI = "MLFLOW_TRACKING_URI"
_RUN_ID = "MLFLOW_RUN_ID"
_STILL_RUNNING = "RUNNING"
_BY_MLFLOW_ITSELF = "INTERNAL_ERROR"
"""The code of what MLflow's fluent functions refuse by themselves, the backend having served."""


class MlflowFluentRuns:
    """Over MLflow's public fluent functions. Thread-safe; MLflow's active runs are a thread's own.

    While any run is active, MLflow's tracking URI, which is one for the process and lies in the environment for its
    children, is this target's; then it is what it was. Two targets cannot have active runs at the same time.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._lock = threading.Lock()
        self._active = 0
        self._before: str | None = None

    @contextmanager
    def active(self, run_id: str) -> Iterator[None]:
        """See FluentRuns. Raises the TrackingError tree when MLflow cannot reach the run."""
        import mlflow

        with self._as_tracking_uri():
            try:
                with translated(run_id=run_id), _kept(_RUN_ID):
                    mlflow.start_run(run_id=run_id, nested=True)
            except TrackingError as error:
                if error.details.get("code") != _BY_MLFLOW_ITSELF:
                    raise
                raise ConfigError(
                    f"MLflow does not take up the run: {error.problem}",
                    cure="call mlflow.set_experiment with the run's experiment, or not at all",
                    run_id=run_id,
                ) from error
            try:
                yield
            finally:
                # Not the end of the run: studbook ends it, and knows how.
                with translated(run_id=run_id), _kept(_RUN_ID):
                    mlflow.end_run(_STILL_RUNNING)

    @contextmanager
    def _as_tracking_uri(self) -> Iterator[None]:
        import mlflow

        with self._lock:
            if self._active == 0:
                self._before = os.environ.get(_URI)
                mlflow.set_tracking_uri(self._uri)
            elif mlflow.get_tracking_uri() != self._uri:
                raise ConfigError(
                    "MLflow's tracking URI was changed while a run of this book is its active one",
                    cure="leave the block of the one run before another target's begins",
                )
            self._active += 1
        try:
            yield
        finally:
            with self._lock:
                self._active -= 1
                if self._active == 0:
                    # None, which MLflow takes for its default, is not in its annotation.
                    mlflow.set_tracking_uri(self._before)  # type: ignore[arg-type]


@contextmanager
def _kept(variable: str) -> Iterator[None]:
    """What MLflow deletes from the environment on the way is there again."""
    value = os.environ.get(variable)
    try:
        yield
    finally:
        if value is not None:
            os.environ[variable] = value
