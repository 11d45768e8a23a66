"""Training in a child process, as a training function."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..application.train_context import command_of

if TYPE_CHECKING:
    from ..application.train_context import TrainContext, TrainingFunction, TrainingResult


def command_training(
    command: Sequence[str | Path], *, timeout_s: float | None = None, cwd: str | Path | None = None
) -> TrainingFunction:
    """A training function that has the command do the work, each time in a process of its own: for sweeps,
    refits and final trainings. The command begins with `studbook.child()`.

    After `timeout_s` seconds it is told to stop, and then ended: the run is KILLED `timeout`. Raises InvalidInput.
    """
    command_of(command, timeout_s=timeout_s, cwd=cwd)

    def train(context: TrainContext) -> TrainingResult:
        return context.run_command(command, timeout_s=timeout_s, cwd=cwd)

    return train
