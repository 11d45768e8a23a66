"""The executor: runs tasks side by side until there is none left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Task = Callable[[], None]


class TrialExecutor(Protocol):
    """Pulls tasks and runs them; knows nothing of studies."""

    def run(self, next_task: Callable[[], Task | None], workers: int) -> None:
        """Run tasks, at most `workers` at once, until `next_task` gives None and all have ended.

        `next_task` is only ever called from the caller's thread, and only when a worker is free. An exception
        that leaves a task or `next_task` stops the pulling; tasks that run end, then the first one is raised.
        """
        ...
