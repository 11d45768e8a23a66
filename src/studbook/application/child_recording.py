"""What the one recording process of a child does with the user's calls."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..domain.child_result import ChildResult
from ..domain.errors import InvalidInput, NotYourRun, RunEnded
from ..domain.manifest import ArtifactKind
from ..domain.recorded_values import metric_values
from ..domain.run_context import ContextMode, RunContext
from ..domain.run_events import MetricsLogged
from ..domain.stage import Stage
from ..domain.trial_metrics import on_trial, report_metric
from .child_ending import ChildEnding
from .child_fold import ChildFold
from .child_folder import sizes_below
from .open_run import OpenRun
from .run_handle import RunHandle, whole_step
from .train_context import TrainingResult
from .trial_plan import checked_report


class ChildRecording:
    """Records on the run of the document, by the rules of its stage, until the child has finished."""

    dropped = 0

    def __init__(
        self,
        document: RunContext,
        run: RunHandle,
        ending: ChildEnding,
        opening: OpenRun,
        fold: ChildFold | None,
    ) -> None:
        self._document = document
        self._run = run
        self._ending = ending
        self._opening = opening
        self._fold = fold
        self._objectives = frozenset(each.metric for each in document.objectives)
        self._on_trial = fold.index if fold is not None and document.stage is Stage.TRIAL else None
        self._reported = report_metric(document.stage, document.objectives, self._on_trial)
        self._last_report: tuple[int, float] | None = None
        self._last_step = 0
        self._begun = False
        self._finished = False

    def begin(self) -> None:
        """Begin, before the user's first call."""
        self._ending.begin()
        self._begun = True

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Record measured values. On a refit the objective is left out: the score of a refit is its trial's."""
        self._check_open()
        if self._document.stage is Stage.REFIT:
            metrics = {name: value for name, value in metrics.items() if name not in self._objectives}
        if self._on_trial is not None:
            checked = metric_values(metrics, Stage.FOLD)
            named = {on_trial(name, self._on_trial): value for name, value in checked.items()}
            self._run.record(MetricsLogged(metrics=named, step=whole_step(step)))
        else:
            self._run.log_metrics(metrics, step)
        self._last_step = max(self._last_step, whole_step(step))

    def log_params(self, params: Mapping[str, object]) -> None:
        """Record params. Raises ParamConflict, ParamInvalid."""
        self._check_open()
        self._run.log_params(params)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set the user's own tags."""
        self._check_open()
        self._run.set_tags(tags)

    def log_artifact(self, path: str | Path, name: str | None = None, *, kind: ArtifactKind | str) -> None:
        """Store a file or folder with the run."""
        self._check_open()
        self._run.log_artifact(path, name, kind=kind)

    def report(self, value: float, step: int) -> None:
        """Record an intermediate value, which the parent's pruner sees. Raises MetricValueInvalid."""
        self._check_open()
        self._last_report = at, checked = checked_report(value, step, self._last_report)
        self._run.record(MetricsLogged(metrics={self._reported: checked}, step=at))

    def open_run(
        self,
        name: str,
        *,
        stage: Stage | str,
        params: Mapping[str, object] | None,
        tags: Mapping[str, str] | None,
    ) -> RunHandle:
        """Open a run below this one. Raises NotYourRun for what only the parent may open."""
        self._check_open()
        document = self._document
        if document.mode is ContextMode.ATTACH and (document.stage, stage) != (Stage.TRIAL, Stage.FOLD):
            raise NotYourRun(
                f"a child process opens no {stage} below a {document.stage}: only folds of its own trial",
                cure="open it in the parent, which waits, or log to this run",
                run=str(document.run_key),
            )
        return self._opening(name, stage=stage, parent=self._run, params=params, tags=tags)

    def finish(self, returned: TrainingResult, best_step: int | None, *, pruned: bool) -> None:
        """Leave the result, once. Raises RunEnded, and what a metric that cannot be recorded raises."""
        self._check_open()
        document = self._document
        result = ChildResult(
            schema_version=1,
            run_key=document.run_key,
            outcome="pruned" if pruned else "completed",
            metrics=metric_values(self._metrics(returned), document.stage),
            best_step=best_step,
            fold_digest=self._fold.used_digest if self._fold else None,
            files=sizes_below(Path(document.output_dir)),
        )
        self._ending.finish(result, self._last_step)
        self._finished = True

    def leave(self, error: BaseException | None) -> None:
        """The user's block is left."""
        self._ending.leave(error)

    def _metrics(self, returned: TrainingResult) -> Mapping[str, float]:
        if returned is None or isinstance(returned, Mapping):
            return returned or {}
        if len(self._objectives) != 1:
            raise InvalidInput(
                f"one number stands for no metric, where there are {len(self._objectives)} objectives",
                cure="finish with a mapping of metrics",
            )
        return dict.fromkeys(self._objectives, returned)

    def _check_open(self) -> None:
        if not self._begun:
            raise InvalidInput(
                "the child's part has not begun", cure="enter it: with studbook.child() as context:"
            )
        if self._finished:
            raise RunEnded(
                f"run {self._document.run_name!r} has been finished by this process",
                cure="log before context.finish(...), and call that once",
                run=str(self._document.run_key),
            )
