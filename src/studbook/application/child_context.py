"""What a child process works with: what its parent has handed over, and a run to log to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from ..domain.errors import StudbookError
from ..domain.manifest import ArtifactKind
from ..domain.run_context import RunContext, StopWord
from ..domain.seeds import rank_seed
from ..domain.stage import Stage
from ..ports.log import get_logger
from .child_fold import ChildFold
from .child_recording import ChildRecording
from .parent_watch import ParentWatch
from .run_handle import RunHandle
from .silent_run import SilentRun
from .train_context import PruneTrial, TrainingResult

_log = get_logger(__name__)


class ChildContext:
    """A context manager around the child's work, which `finish` concludes. Much like a training's own context, so
    that one training function serves in both places.

    Only rank 0 records. The others may call everything: it is counted as `dropped`, and never raises.
    """

    def __init__(
        self,
        document: RunContext,
        rank: int,
        recording: ChildRecording | SilentRun,
        fold: ChildFold | None,
        parent: ParentWatch,
        close: Callable[[], None],
    ) -> None:
        self.mode = document.mode
        self.run_key = document.run_key
        self.project = document.project
        self.stage = document.stage
        self.subject = document.subject
        self.attempt = document.attempt
        self.parent_run_key = document.parent_run_key
        self.run_name = document.run_name
        self.experiment = document.experiment
        self.params = document.params
        self.fold = fold
        self.seed = document.seed
        self.rank = rank
        self.rank_seed = rank_seed(document.seed, rank)
        self.budget = document.budget
        self.objectives = document.objectives
        self.resume_from = None if document.resume_from is None else Path(document.resume_from)
        self._output_dir = Path(document.output_dir)
        self._recording = recording
        self._parent = parent
        self._close = close
        self._gave_up = False
        self._finished = False

    def __repr__(self) -> str:
        return f"ChildContext({self.stage}, {self.run_name!r}, {self.run_key.short}, rank {self.rank})"

    @property
    def dropped(self) -> int:
        """How many calls were not recorded, because this is not rank 0."""
        return self._recording.dropped

    @property
    def output_dir(self) -> Path:
        """The folder whose files become the run's checkpoint (refit) or model (final training)."""
        self._output_dir.mkdir(parents=True, exist_ok=True)
        return self._output_dir

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Record measured values, as RunHandle does."""
        self._recording.log_metrics(metrics, step)

    def log_params(self, params: Mapping[str, object]) -> None:
        """Record params, as RunHandle does."""
        self._recording.log_params(params)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set your own tags. Raises NotYourRun for one of studbook's, on a run that the parent has opened."""
        self._recording.set_tags(tags)

    def log_artifact(
        self, path: str | Path, name: str | None = None, *, kind: ArtifactKind | str = ArtifactKind.ANY
    ) -> None:
        """Store a file or a folder with the run, as RunHandle does."""
        self._recording.log_artifact(path, name, kind=kind)

    def report(self, value: float, step: int) -> None:
        """An intermediate value of the objective; finite, steps increasing. The parent's pruner sees it."""
        self._recording.report(value, step)

    def open_run(
        self,
        name: str,
        *,
        stage: Stage | str = Stage.FOLD,
        params: Mapping[str, object] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> RunHandle | SilentRun:
        """Open a run below this one: folds of its own trial, and in mode `own` any. Raises NotYourRun."""
        return self._recording.open_run(name, stage=stage, params=params, tags=tags)

    def should_stop(self) -> bool:
        """Whether to stop here: the parent has said so, by the pruner or for its time, or it is gone."""
        return self._word() is not None

    def should_prune(self) -> bool:
        """Whether the pruner has said so: then `raise PruneTrial()`, or finish."""
        return self._word() is StopWord.PRUNE

    def finish(
        self, metrics: TrainingResult = None, *, best_step: int | None = None, pruned: bool | None = None
    ) -> None:
        """Hand in what was measured, once, last. `pruned` says that the training was given up; without it, it was
        when it has been told so by the pruner. Raises RunEnded, MetricNameInvalid, MetricValueInvalid.
        """
        self._recording.finish(metrics, best_step, pruned=self._gave_up if pruned is None else pruned)
        self._finished = True

    def __enter__(self) -> Self:
        self._recording.begin()
        # Looked at now, so that it is noticed later when the parent's lease is gone.
        self._parent.word()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        pruned = isinstance(error, PruneTrial) and not self._finished
        try:
            if pruned:
                self.finish(pruned=True)
            self._recording.leave(None if pruned else error)
        except StudbookError as failure:
            if error is None or pruned:
                raise
            # The block's own exception is what the parent must see.
            _log.error("end of a child process not recorded", run=str(self.run_key), error=failure.problem)
        finally:
            self._close()
            if self.dropped:
                _log.info("calls of this rank dropped", rank=self.rank, dropped=self.dropped)
        return pruned

    def _word(self) -> StopWord | None:
        word = self._parent.word()
        self._gave_up = self._gave_up or word is StopWord.PRUNE
        return word
