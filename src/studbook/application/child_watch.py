"""What a parent sees of its child while it runs, and tells it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..domain.errors import HomeUnusable, JournalError
from ..domain.keys import RunKey
from ..domain.run_context import StopWord
from ..domain.run_events import MetricsLogged, RunStarted
from ..domain.trial_metrics import report_metric
from ..ports.event_log import Newcomers
from ..ports.log import get_logger
from .child_folder import ParentFolder
from .train_context import TrainContext

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OpenedRun:
    """A run of this process that a child may work for. `observe` is told of each reported value and its step."""

    key: RunKey
    started: RunStarted
    observe: Callable[[float, int], None] | None = None


class ChildWatch:
    """One child, by the journal segment that it writes."""

    def __init__(
        self, run: OpenedRun, context: TrainContext, folder: ParentFolder, newcomers: Newcomers
    ) -> None:
        self.folder = folder
        self.out_of_time = False
        self._run = run
        self._context = context
        self._newcomers = newcomers
        fold = context.fold.index if context.fold else None
        self._reported = report_metric(run.started.stage, context.objectives, fold)
        self._told_to_prune = False

    def look(self) -> None:
        """Take note of what the child has recorded; tell it when it does not look promising."""
        self.look_last()
        if not self._told_to_prune and not self.out_of_time and self._context.should_prune():
            self._told_to_prune = True
            self.folder.say(StopWord.PRUNE)

    def look_last(self) -> None:
        """Take note only."""
        try:
            found = self._newcomers.read()
        except (HomeUnusable, JournalError) as error:
            # What cannot be followed now is delivered all the same.
            _log.warning("child process not followed", run=str(self._run.key), error=error.problem)
            return
        for envelope in found:
            if envelope.run_key == self._run.key and isinstance(envelope.event, MetricsLogged):
                self._measured(envelope.event)

    def tell_time(self) -> None:
        """Tell the child that its time is over."""
        if not self.out_of_time:
            self.out_of_time = True
            self.folder.say(StopWord.STOP)

    def _measured(self, event: MetricsLogged) -> None:
        if self._reported not in event.metrics:
            self._context.saw_step(event.step)
        elif self._run.observe is not None:
            self._run.observe(event.metrics[self._reported], event.step)
