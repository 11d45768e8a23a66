"""What a training function is given: params, its split, a seed, and a place for its files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pydantic import JsonValue

from ..domain.errors import FoldsInvalid, InvalidInput
from ..domain.folds import Fold, make_folds
from ..domain.study import Budget, Objective
from ..domain.validation import KFold, Validation
from ..ports.child_processes import Command

TrainingResult = Mapping[str, float] | float | None
TrainingFunction = Callable[["TrainContext"], TrainingResult]
RunCommand = Callable[["TrainContext", Command], TrainingResult]


class PruneTrial(Exception):
    """Raised by a training function to give up its trial as not promising. A signal, not a failure."""


class FoldContext:
    """One cross-validation split, and the proof that it was used.

    `train` and `validation` are row numbers. When the study was opened without data, ask `indices(n)` or
    `indices(labels)` for the same split.
    """

    def __init__(self, index: int, count: int, planned: Fold | None, validation: Validation) -> None:
        self.index = index
        self.count = count
        self._planned = planned
        self._validation = validation
        self._used: str | None = None

    @property
    def train(self) -> tuple[int, ...]:
        """The rows to learn from."""
        return self._use(self._known()).train

    @property
    def validation(self) -> tuple[int, ...]:
        """The rows to score on; no row is in both."""
        return self._use(self._known()).validation

    @property
    def used_digest(self) -> str | None:
        """The digest of the split that was handed out, or None if none was."""
        return self._used

    def indices(self, data: int | Sequence[object]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Training and validation rows for `data`: a number of rows, or a label a row."""
        if not isinstance(self._validation, KFold):
            raise FoldsInvalid(
                "only k-fold splits can be computed from a row count",
                cure="use fold.train and fold.validation",
            )
        n, labels = (data, None) if isinstance(data, int) else (len(data), data)
        fold = self._use(make_folds(self._validation, n, labels)[self.index])
        return fold.train, fold.validation

    @property
    def planned(self) -> Fold | None:
        """The split of the study; None when it was opened without data. To hand it on, not to train on it."""
        return self._planned

    def prove(self, digest: str | None) -> None:
        """Take another process's word for the split that it has used."""
        self._used = digest

    def _known(self) -> Fold:
        if self._planned is None:
            raise FoldsInvalid(
                "this study was opened without data, so its splits are not known beforehand",
                cure="call fold.indices(number of rows), or give the sweep n_samples= or labels=",
            )
        return self._planned

    def _use(self, fold: Fold) -> Fold:
        # Once another split was asked for, asking for the planned one proves nothing.
        if self._planned is None or self._used in (None, self._planned.digest):
            self._used = fold.digest
        return fold


class TrainContext:
    """Handed to the training function: once for each fold, once for a refit, once for a final training.

    `fold` is None when all data is to be learned from. Files written below `output_dir` become the run's
    checkpoint (refit) or model (final training). Set `best_step` to the step of the best value, if you know it.
    """

    def __init__(
        self,
        *,
        params: Mapping[str, JsonValue],
        seed: int | None,
        fold: FoldContext | None,
        budget: Budget | None,
        objectives: tuple[Objective, ...],
        output_dir: Path,
        log_metrics: Callable[[Mapping[str, float], int], None],
        report: Callable[[float, int], None],
        should_prune: Callable[[], bool],
        run_command: RunCommand,
        resume_from: Path | None = None,
    ) -> None:
        self.best_step: int | None = None
        self.params = dict(params)
        self.seed = seed
        self.fold = fold
        self.budget = budget
        self.objectives = objectives
        self.resume_from = resume_from
        self._output_dir = output_dir
        self._log_metrics = log_metrics
        self._report = report
        self._should_prune = should_prune
        self._run_command = run_command
        self._last_step = 0

    @property
    def output_dir(self) -> Path:
        """A folder of this run's own, made on first use."""
        self._output_dir.mkdir(parents=True, exist_ok=True)
        return self._output_dir

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Record measured values on this run."""
        at = int(step or 0)
        self._log_metrics(metrics, at)
        self.saw_step(at)

    def saw_step(self, step: int) -> None:
        """Take note of a step that somebody else has logged values at."""
        self._last_step = max(self._last_step, step)

    @property
    def last_step(self) -> int:
        """The highest step that values were logged at so far."""
        return self._last_step

    def report(self, value: float, step: int) -> None:
        """An intermediate value of the objective; finite, steps increasing. Without folds the pruner sees it."""
        self._report(value, step)

    def should_prune(self) -> bool:
        """Whether to stop here: then `raise PruneTrial()`. Inside a fold always False."""
        return self._should_prune()

    def run_command(
        self, command: Sequence[str | Path], *, timeout_s: float | None = None, cwd: str | Path | None = None
    ) -> TrainingResult:
        """Have a child process do the training; what it measured, to be returned. It begins with
        `studbook.child()`. After `timeout_s` seconds it is told to stop, and then ended.

        Raises ChildProcessFailed and its children; PruneTrial when the child gave up.
        """
        return self._run_command(self, command_of(command, timeout_s=timeout_s, cwd=cwd))


def command_of(
    command: Sequence[str | Path], *, timeout_s: float | None = None, cwd: str | Path | None = None
) -> Command:
    """The checked command. Raises InvalidInput."""
    argv = () if isinstance(command, str) else tuple(str(each) for each in command)
    if not argv:
        raise InvalidInput(
            f"{command!r:.100} is no command",
            cure='give a list: the program, then its arguments: ["python", "train.py"]',
        )
    if timeout_s is not None and not timeout_s > 0:
        raise InvalidInput(
            f"timeout_s={timeout_s!r} leaves no time", cure="give seconds above 0, or leave it out"
        )
    return Command(argv, None if cwd is None else Path(cwd), timeout_s)
