"""What a process of a distributed training gets that is not to record: it takes every call, and counts it."""

from __future__ import annotations

from types import TracebackType
from typing import Self


class SilentRun:
    """A run in the hands of a rank above 0. Nothing is recorded, checked or raised."""

    def __init__(self) -> None:
        self.dropped = 0

    def log_metrics(self, metrics: object, step: object = None) -> None:
        """Nothing."""
        self._drop(metrics, step)

    def log_params(self, params: object) -> None:
        """Nothing."""
        self._drop(params)

    def set_tags(self, tags: object) -> None:
        """Nothing."""
        self._drop(tags)

    def log_artifact(self, path: object, name: object = None, *, kind: object = None) -> None:
        """Nothing."""
        self._drop(path, name, kind)

    def report(self, value: object, step: object) -> None:
        """Nothing."""
        self._drop(value, step)

    def open_run(self, name: object, *, stage: object, params: object, tags: object) -> Self:
        """This one again: a run below it is as silent."""
        self._drop(name, stage, params, tags)
        return self

    def begin(self) -> None:
        """Nothing, and no call of the user."""

    def finish(self, returned: object, best_step: object, *, pruned: object) -> None:
        """Nothing."""
        self._drop(returned, best_step, pruned)

    def leave(self, error: BaseException | None) -> None:
        """Nothing, and no call of the user."""

    def _drop(self, *said: object) -> None:
        del said
        self.dropped += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Whatever left the block passes."""
