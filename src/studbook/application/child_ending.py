"""Who ends the run that a child process works for, and when."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from ..domain.child_result import ChildResult
from ..domain.errors import RunEnded
from ..domain.run import Ending, EndReason
from ..domain.run_context import RunContext
from ..domain.run_events import MetricsLogged, RunStarted
from ..domain.stage import Stage
from .attached_run import AttachedRun
from .child_folder import write_result
from .ending import ending_without_result
from .project import Project
from .run_handle import RunHandle
from .training_result import Unusable, judge


class ChildEnding(Protocol):
    """The beginning and the end of a child's part."""

    def begin(self) -> None:
        """The child begins."""
        ...

    def finish(self, result: ChildResult, last_step: int) -> None:
        """The child has its result. Raises RunEnded when there is one already."""
        ...

    def leave(self, error: BaseException | None) -> None:
        """The child leaves, by this exception or in order."""
        ...


class ParentEnds:
    """Mode `attach`: the result is left for the parent, which judges it."""

    def __init__(self, document: RunContext, run: AttachedRun) -> None:
        self._result = Path(document.result_path).absolute()
        self._run = run

    def begin(self) -> None:
        """The parent has begun the run."""

    def finish(self, result: ChildResult, last_step: int) -> None:
        """Leave the result; the parent records its metrics."""
        del last_step
        write_result(self._result, result.to_json())

    def leave(self, error: BaseException | None) -> None:
        """What was opened below the run ends with the child; without a result the parent will see that."""
        del error
        self._run.leave()


class ChildEnds:
    """Mode `own`: nobody waits, so the child begins and ends the run itself, once."""

    def __init__(self, document: RunContext, run: RunHandle, project: Project) -> None:
        self._document = document
        self._result = Path(document.result_path).absolute()
        self._run = run
        self._project = project

    def begin(self) -> None:
        """Begin the run. Raises RunEnded when it has a result: a repeat is another run."""
        document = self._document
        if self._result.exists():
            raise RunEnded(
                f"run {document.run_name!r} has been carried out already: it has its result",
                cure="hand over a new run context for more work",
                run=str(document.run_key),
            )
        started = RunStarted(
            project=document.project,
            stage=document.stage,
            subject=document.subject,
            attempt=document.attempt,
            name=document.run_name,
            experiment=document.experiment,
            parent=document.parent_run_key,
            environment=self._project.environment,
            created_by=self._project.created_by,
            version=self._project.version,
        )
        self._run.begin(started, params=document.params)

    def finish(self, result: ChildResult, last_step: int) -> None:
        """Record the metrics and end the run as what they say; then leave the result for whoever looks."""
        measured = [MetricsLogged(metrics=result.metrics, step=last_step)] if result.metrics else []
        self._run.end(self._judged(result), *measured)
        write_result(self._result, result.to_json())

    def leave(self, error: BaseException | None) -> None:
        """Without a result the run is not FINISHED."""
        if self._run.ending is None:
            no_result = Ending.failed(EndReason.NO_RESULT, "the job called no context.finish(...)")
            self._run.end(no_result if error is None else ending_without_result(error))

    def _judged(self, result: ChildResult) -> Ending:
        document = self._document
        if result.outcome == "pruned":
            return Ending.killed(EndReason.PRUNED)
        if document.fold is not None and result.fold_digest not in (None, document.fold.digest):
            return Ending.failed(EndReason.SPLIT_MISMATCH, "the job used another split than the planned one")
        if document.stage in (Stage.TRIAL, Stage.FOLD) and document.objectives:
            judged = judge(result.metrics, document.objectives, document.stage)
            if isinstance(judged, Unusable):
                return Ending.failed(judged.reason, judged.error)
        return Ending.finished()
