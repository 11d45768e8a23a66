"""What a verb is doing: live bars on a terminal, a line a step elsewhere; on stderr."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ...application.notices import Step, SweepProgress

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from ..studbook import Studbook


class ProgressView:
    """Shows a book's notices while its block runs."""

    def __init__(self, book: Studbook) -> None:
        self._subscription = book.subscribe(self._show, name="progress")
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        console = Console(stderr=True)
        if sys.stderr.isatty():
            self._bars = Progress(
                TextColumn("{task.description:<28}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[note]}"),
                TimeElapsedColumn(),
                console=console,
            )
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._subscription.close(timeout=2.0)
        if self._bars is not None:
            self._bars.stop()

    def _show(self, message: object) -> None:
        if isinstance(message, Step):
            self._step(message)
        elif isinstance(message, SweepProgress):
            self._sweep(message)

    def _step(self, step: Step) -> None:
        text = f"{step.name}: {step.detail}" if step.detail else step.name
        if self._bars is not None:
            self._bars.console.print(f"[dim]{text}[/dim]")
        else:
            sys.stderr.write(text + "\n")

    def _sweep(self, progress: SweepProgress) -> None:
        if self._bars is None:
            if progress.trials_total is not None and progress.trials_done >= progress.trials_total:
                sys.stderr.write(f"  {progress.trials_done} trials, {progress_note(progress)}\n")
            return
        task = self._tasks.get(progress.study_name)
        if task is None:
            task = self._bars.add_task(progress.study_name, total=progress.trials_total, note="")
            self._tasks[progress.study_name] = task
        self._bars.update(task, completed=progress.trials_done, note=progress_note(progress))


def progress_note(progress: SweepProgress) -> str:
    """Failed trials are said apart: they do not count as done, another one is tried in their place."""
    pruned, failed = progress.states.get("PRUNED", 0), progress.states.get("FAILED", 0)
    parts = (
        "" if progress.best is None else f"best {progress.best:.4f}",
        f"{pruned} of them pruned" if pruned else "",
        f"and {failed} failed" if failed else "",
    )
    return ", ".join(part for part in parts if part)
