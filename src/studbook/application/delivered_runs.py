"""Who knows what became of a run in the backend."""

from __future__ import annotations

from typing import Protocol

from ..domain.keys import RunKey


class DeliveredRuns(Protocol):
    """Answers about runs by their key, delivering first; raises DeliveryPending after `timeout_s` seconds."""

    def run_id(self, run_key: RunKey, timeout_s: float | None = None) -> str:
        """The backend's id of the run."""
        ...

    def page(self, run_key: RunKey, timeout_s: float | None = None) -> str | None:
        """The page that shows the run, where there is one."""
        ...
