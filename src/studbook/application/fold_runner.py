"""Trains one fold of a trial, on a run of its own or on the trial's."""

from __future__ import annotations

from collections.abc import Mapping

from ..domain.events import Event
from ..domain.folds import Fold
from ..domain.keys import FoldKey, RunKey
from ..domain.recorded_values import metric_values
from ..domain.run import Ending, EndReason
from ..domain.run_events import MetricsLogged, RunEnded
from ..domain.run_identity import of_fold
from ..domain.search_events import FoldScored, FoldStarted
from ..domain.seeds import fold_seed
from ..domain.stage import Stage
from ..domain.trial import fold_key
from ..domain.trial_metrics import intermediate_metric, on_trial
from ..ports.log import get_logger
from .child_process import RunInChild
from .child_watch import OpenedRun
from .ending import ending_without_result, error_text, reason_of
from .recorder import Recorder
from .run_opening import RunOpening
from .train_context import FoldContext, PruneTrial, TrainContext
from .training_result import Scored, Unusable, judge
from .trial_plan import Failed, ScoredFold, TrialPlan, checked_report

_log = get_logger(__name__)


class FoldRunner:
    """Runs folds of trials whose RunStarted is already in the log."""

    def __init__(self, recorder: Recorder, opening: RunOpening, children: RunInChild) -> None:
        self._recorder = recorder
        self._opening = opening
        self._children = children

    def run(self, plan: TrialPlan, index: int) -> Scored | Failed:
        """Train on the split `index` and append its end: its score, or why it has none."""
        planned = plan.folds[index]
        key = fold_key(plan.trial_key, index, planned.digest if planned else None)
        known = plan.scored_folds.get(key)
        if known is not None:
            return self._reuse(plan, index, planned, known)
        fold = FoldContext(index, len(plan.folds), planned, plan.study.validation)
        run = self._start(plan, index, planned, key) if plan.fold_runs else None
        run_key = run.key if run else None
        context = self._context(plan, fold, run)
        try:
            returned = plan.train(context)
            outcome = _judged(returned, plan, planned, fold)
        except (KeyboardInterrupt, SystemExit, MemoryError) as error:
            self._end(run_key, ending_without_result(error))
            raise
        except PruneTrial:
            outcome = Failed(EndReason.ERROR, "PruneTrial inside a fold: the pruner judges between folds")
        except Exception as error:  # noqa: BLE001  recorded as the failure of fold and trial: the sweep goes on
            outcome = Failed(reason_of(error), error_text(error))
        if isinstance(outcome, Failed):
            _log.info("fold failed", number=plan.number, fold=index, error=outcome.error)
            self._end(run_key, Ending.because(outcome.reason, outcome.error))
        else:
            self._score(plan, fold, run_key, outcome, context)
            if run_key is not None:
                plan.scored_folds[key] = ScoredFold(run_key, outcome.metrics)
        return outcome

    def _reuse(self, plan: TrialPlan, index: int, planned: Fold | None, known: ScoredFold) -> Scored:
        """Take over the score of an earlier attempt's fold: no training, no run."""
        objectives = {each.metric: known.metrics[each.metric] for each in plan.study.objectives}
        event = FoldScored(
            index=index,
            digest=planned.digest if planned else None,
            metrics=known.metrics,
            objectives=objectives,
            reused_from=known.run,
        )
        self._recorder.record(plan.run_key, event)
        return Scored(objectives, known.metrics)

    def _start(self, plan: TrialPlan, index: int, planned: Fold | None, key: FoldKey) -> OpenedRun:
        study = plan.study
        identity = of_fold(self._opening.project.name, key, plan.attempt)
        tokens = {
            "model": study.model_family,
            "study": study.key,
            "trial": plan.trial_key,
            "trial_number": plan.number,
            "fold": index,
        }
        started = self._opening.started(identity, tokens, experiment=plan.experiment, parent=plan.run_key)
        fold_started = FoldStarted(
            study_key=study.key,
            model_family=study.model_family,
            trial_key=plan.trial_key,
            trial_number=plan.number,
            fold_key=key,
            index=index,
            count=len(plan.folds),
            digest=planned.digest if planned else None,
            train_size=len(planned.train) if planned else 0,
            validation_size=len(planned.validation) if planned else 0,
            seed=fold_seed(study.seed_policy, plan.trial_key, index),
        )
        self._recorder.record(identity.key, started, fold_started)
        return OpenedRun(identity.key, started)

    def _score(
        self,
        plan: TrialPlan,
        fold: FoldContext,
        run_key: RunKey | None,
        scored: Scored,
        context: TrainContext,
    ) -> None:
        event = FoldScored(
            index=fold.index,
            digest=fold.used_digest,
            metrics=scored.metrics,
            objectives=scored.objectives,
            fold_run=run_key,
            best_step=context.best_step,
            last_step=context.last_step,
        )
        entries: list[tuple[RunKey, Event]] = [(plan.run_key, event)]
        if run_key is not None:
            entries.append((run_key, RunEnded(ending=Ending.finished())))
        self._recorder.record_together(*entries)

    def _end(self, run_key: RunKey | None, ending: Ending) -> None:
        if run_key is not None:
            self._recorder.record(run_key, RunEnded(ending=ending))

    def _context(self, plan: TrialPlan, fold: FoldContext, own: OpenedRun | None) -> TrainContext:
        run = own or OpenedRun(plan.run_key, plan.started)
        target = run.key
        elsewhere = None if own else fold.index
        intermediate = intermediate_metric(plan.study.objectives, elsewhere)
        last: tuple[int, float] | None = None

        def log_metrics(metrics: Mapping[str, float], step: int) -> None:
            checked = metric_values(metrics, Stage.FOLD)
            named = {on_trial(name, elsewhere): value for name, value in checked.items()}
            self._recorder.record(target, MetricsLogged(metrics=named, step=step))

        def report(value: float, step: int) -> None:
            nonlocal last
            last = checked_report(value, step, last)
            self._recorder.record(target, MetricsLogged(metrics={intermediate: last[1]}, step=step))

        return TrainContext(
            params=plan.params,
            seed=fold_seed(plan.study.seed_policy, plan.trial_key, fold.index),
            fold=fold,
            budget=plan.study.budget,
            objectives=plan.study.objectives,
            output_dir=plan.work_dir / f"fold{fold.index}",
            log_metrics=log_metrics,
            report=report,
            should_prune=lambda: False,
            run_command=self._children.of(run),
        )


def _judged(returned: object, plan: TrialPlan, planned: Fold | None, fold: FoldContext) -> Scored | Failed:
    if fold.used_digest is None:
        _log.warning("FOLD_UNVERIFIED", fold=fold.index, cure="read context.fold.train and .validation")
    elif planned is not None and fold.used_digest != planned.digest:
        return Failed(EndReason.SPLIT_MISMATCH, f"fold {fold.index} used another split than the planned one")
    result = judge(returned, plan.study.objectives, Stage.FOLD)
    return Failed(result.reason, result.error) if isinstance(result, Unusable) else result
