"""Memory has no active run."""

from __future__ import annotations

from contextlib import AbstractContextManager

from ...domain.errors import ConfigError


class MemoryFluentRuns:
    """There is no MLflow behind a store in memory, so that no run of it can be MLflow's active one."""

    def active(self, run_id: str) -> AbstractContextManager[None]:
        """See FluentRuns. Always raises ConfigError."""
        raise ConfigError(
            "a run in memory cannot be MLflow's active run",
            cure="track into sqlite:///mlflow.db, or to a server",
            run_id=run_id,
        )
