"""Trains one trial: its folds in order, its reports, its end."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..domain.events import Event
from ..domain.recorded_values import metric_values
from ..domain.run import Ending, EndReason
from ..domain.run_events import MetricsLogged, RunEnded
from ..domain.search_events import TrialCompleted, TrialFailed, TrialPruned
from ..domain.stage import Stage
from ..domain.trial_metrics import intermediate_metric, trial_spread, trial_values
from ..ports.log import get_logger
from .child_process import RunInChild
from .child_watch import OpenedRun
from .ending import ending_without_result, error_text, reason_of
from .fold_runner import FoldRunner
from .recorder import Recorder
from .train_context import PruneTrial, TrainContext
from .training_result import Scored, Unusable, judge
from .trial_plan import Completed, Failed, Outcome, Pruned, TrialPlan, checked_report

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pruner:
    """How a trial asks whether to go on: it reports to the study, which judges."""

    report: Callable[[float, int], None]
    should_prune: Callable[[], bool]


class TrialRunner:
    """Runs trials whose RunStarted is already in the log."""

    def __init__(self, recorder: Recorder, folds: FoldRunner, children: RunInChild) -> None:
        self._recorder = recorder
        self._folds = folds
        self._children = children

    def run(self, plan: TrialPlan, pruner: Pruner) -> tuple[Outcome, int]:
        """Train, and append the trial's end; its outcome, and when (UTC nanoseconds) it ended.

        An exception of the training function makes the trial FAILED; KeyboardInterrupt, SystemExit and
        MemoryError end it and pass on.
        """
        try:
            outcome = self._over_folds(plan, pruner) if plan.folds else self._whole(plan, pruner)
        except (KeyboardInterrupt, SystemExit, MemoryError) as error:
            failed = TrialFailed(
                number=plan.number, trial_key=plan.trial_key, reason="interrupted", error=error_text(error)
            )
            self._recorder.record(plan.run_key, failed, RunEnded(ending=ending_without_result(error)))
            raise
        finally:
            shutil.rmtree(plan.work_dir, ignore_errors=True)
        *_, ended = self._recorder.record(plan.run_key, *_end_events(plan, outcome))
        return outcome, ended.occurred_at_ns

    def _over_folds(self, plan: TrialPlan, pruner: Pruner) -> Outcome:
        scored: list[Scored] = []
        for index in range(len(plan.folds)):
            fold = self._folds.run(plan, index)
            if isinstance(fold, Failed):
                return fold
            scored.append(fold)
            if len(plan.study.objectives) == 1:
                pruned = self._after_fold(plan, pruner, scored)
                if pruned is not None:
                    return pruned
        reported = [fold.metrics for fold in scored]
        return Completed(
            trial_values(plan.study, reported),
            trial_spread(plan.study, reported),
            folds=tuple(fold.objectives for fold in scored),
        )

    def _after_fold(self, plan: TrialPlan, pruner: Pruner, scored: list[Scored]) -> Pruned | None:
        """The pruner sees the running mean after each fold, and may judge while folds are left."""
        metric = plan.study.objectives[0].metric
        running = math.fsum(fold.objectives[metric] for fold in scored) / len(scored)
        self._intermediate(plan, running, len(scored))
        pruner.report(running, len(scored))
        if len(scored) == len(plan.folds) or not pruner.should_prune():
            return None
        return Pruned(step=len(scored), last_value=running)

    def _whole(self, plan: TrialPlan, pruner: Pruner) -> Outcome:
        last: tuple[int, float] | None = None

        def observe(value: float, step: int) -> None:
            nonlocal last
            last = checked_report(value, step, last)
            pruner.report(last[1], last[0])

        def report(value: float, step: int) -> None:
            checked = checked_report(value, step, last)
            self._intermediate(plan, checked[1], checked[0])
            observe(value, step)

        context = self._context(plan, report, observe, pruner.should_prune)
        try:
            returned = plan.train(context)
        except PruneTrial:
            return Pruned(*(last or (0, None)))
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001  recorded as the trial's failure: the sweep goes on
            _log.info("trial failed", number=plan.number, error=error_text(error))
            return Failed(reason_of(error), error_text(error))
        result = judge(returned, plan.study.objectives, Stage.TRIAL)
        if isinstance(result, Unusable):
            return Failed(result.reason, result.error)
        others = {name: value for name, value in result.metrics.items() if name not in result.objectives}
        return Completed(result.objectives, others, last_step=context.last_step)

    def _context(
        self,
        plan: TrialPlan,
        report: Callable[[float, int], None],
        observe: Callable[[float, int], None],
        should_prune: Callable[[], bool],
    ) -> TrainContext:
        def log_metrics(metrics: Mapping[str, float], step: int) -> None:
            checked = metric_values(metrics, Stage.TRIAL)
            self._recorder.record(plan.run_key, MetricsLogged(metrics=checked, step=step))

        return TrainContext(
            params=plan.params,
            seed=plan.seed,
            fold=None,
            budget=plan.study.budget,
            objectives=plan.study.objectives,
            output_dir=plan.work_dir,
            log_metrics=log_metrics,
            report=report,
            should_prune=should_prune,
            run_command=self._children.of(OpenedRun(plan.run_key, plan.started, observe)),
        )

    def _intermediate(self, plan: TrialPlan, value: float, step: int) -> None:
        name = intermediate_metric(plan.study.objectives)
        self._recorder.record(plan.run_key, MetricsLogged(metrics={name: float(value)}, step=step))


def _end_events(plan: TrialPlan, outcome: Outcome) -> tuple[Event, ...]:
    number, key = plan.number, plan.trial_key
    match outcome:
        case Completed(values, metrics, _, last_step):
            completed = TrialCompleted(
                number=number, trial_key=key, values=values, metrics=metrics, last_step=last_step
            )
            return completed, RunEnded(ending=Ending.finished())
        case Pruned(step, last_value):
            pruned = TrialPruned(
                number=number,
                trial_key=key,
                step=step,
                last_value=last_value,
                folds_scored=step if plan.folds else 0,
            )
            return pruned, RunEnded(ending=Ending.killed(EndReason.PRUNED))
        case Failed(reason, error):
            failed = TrialFailed(number=number, trial_key=key, reason=reason, error=error)
            return failed, RunEnded(ending=Ending.because(reason, error))
