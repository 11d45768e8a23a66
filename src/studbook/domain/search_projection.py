"""What the events of a search become in a store: studies, trials, folds and refits."""

from __future__ import annotations

from collections.abc import Iterable

from .event_values import Params
from .run_writes import RunWrites, param_texts, setting_texts
from .search_events import (
    FoldScored,
    FoldStarted,
    RefitLinked,
    RefitStarted,
    StudyClosed,
    StudyOpened,
    TrialCompleted,
    TrialFailed,
    TrialPruned,
    TrialStarted,
)
from .stage import Stage
from .store_writes import StoreWrite

Writes = tuple[StoreWrite, ...]


def study_opened(event: StudyOpened, run: RunWrites) -> Writes:
    """A session's identity and settings."""
    tags = {
        "study.key": event.study_key,
        "study.family_key": event.family_key,
        "study.name": event.name,
        "study.model_family": event.model_family,
        "study.objectives": event.objectives,
        "data.fingerprint": event.data_key,
        "data.mode": event.data_mode,
        "data.name": event.data_name,
        "eval.fingerprint": event.eval_key,
        "sweep.refit_planned": event.refit_planned,
    }
    own: Params = {
        "study_name": event.name,
        "model_family": event.model_family,
        "objectives": _objectives_text(event.objectives),
        "session": event.session,
    }
    return run.record(tags=run.tags(Stage.SWEEP, tags), params=setting_texts({**event.settings, **own}))


def study_closed(event: StudyClosed, run: RunWrites) -> Writes:
    """The outcome, the best trial and the counts."""
    tags = {
        "sweep.outcome": event.outcome,
        "sweep.best_trial_key": event.best_trial,
        "sweep.best_run_key": event.best_run,
    }
    counts = {name: float(count) for name, count in event.counts.items()}
    return run.record(tags=run.tags(Stage.SWEEP, tags), metrics=counts)


def trial_started(event: TrialStarted, run: RunWrites) -> Writes:
    """The point, as params for people and as a typed tag for keys."""
    tags = {
        "study.key": event.study_key,
        "study.family_key": event.family_key,
        "study.model_family": event.model_family,
        "study.objectives": event.objectives,
        "trial.key": event.trial_key,
        "trial.number": event.number,
        "trial.params": event.params,
    }
    return run.record(tags=run.tags(Stage.TRIAL, tags), params=param_texts(event.params))


def trial_completed(event: TrialCompleted, run: RunWrites) -> Writes:
    """The objectives and other results; for a duplicate nothing, since no run stands for it."""
    if event.duplicate_of is not None:
        return ()
    return run.record(
        tags=run.tags(Stage.TRIAL, {"trial.state": "COMPLETE"}),
        metrics={**event.metrics, **event.values},
        step=event.last_step,
    )


def trial_pruned(event: TrialPruned, run: RunWrites) -> Writes:
    """Where it was given up."""
    if event.duplicate_of is not None:
        return ()
    metrics = {"pruned_at_step": float(event.step)}
    if event.folds_scored:
        metrics["folds_scored"] = float(event.folds_scored)
    return run.record(tags=run.tags(Stage.TRIAL, {"trial.state": "PRUNED"}), metrics=metrics)


def trial_failed(event: TrialFailed, run: RunWrites) -> Writes:
    """The state; reason and error come with the end of the run."""
    del event
    return run.record(tags=run.tags(Stage.TRIAL, {"trial.state": "FAILED"}))


def fold_started(event: FoldStarted, run: RunWrites) -> Writes:
    """Which split of which trial."""
    tags = {
        "study.key": event.study_key,
        "study.model_family": event.model_family,
        "trial.key": event.trial_key,
        "trial.number": event.trial_number,
        "fold.key": event.fold_key,
        "fold.index": event.index,
        "fold.digest": event.digest,
    }
    params: Params = {
        "fold_index": event.index,
        "fold_count": event.count,
        "train_size": event.train_size,
        "validation_size": event.validation_size,
        "seed": event.seed,
    }
    return run.record(tags=run.tags(Stage.FOLD, tags), params=setting_texts(params))


def fold_scored(event: FoldScored, run: RunWrites) -> Writes:
    """The objectives on the trial, by fold; everything on the fold's own run, when it has one."""
    on_trial = run.record(
        metrics={f"{name}_fold_{event.index}": value for name, value in event.objectives.items()},
        # Without a run of its own the fold logged on the trial, by the same names.
        step=event.last_step if event.fold_run is None else 0,
    )
    if event.fold_run is None:
        return on_trial
    on_fold = run.of(event.fold_run).record(
        metrics={**event.metrics, **event.objectives}, step=event.last_step
    )
    return (*on_fold, *on_trial)


def refit_started(event: RefitStarted, run: RunWrites) -> Writes:
    """The trial that it stands for, and how it is trained: the link is a fact from the start."""
    tags = {
        "study.key": event.study_key,
        "study.family_key": event.family_key,
        "study.name": event.study_name,
        "study.model_family": event.model_family,
        "study.objectives": event.objectives,
        "data.fingerprint": event.data_key,
        "data.mode": event.data_mode,
        "data.name": event.data_name,
        "eval.fingerprint": event.eval_key,
        "trial.key": event.trial_key,
        "trial.number": event.trial_number,
        "trial.params": event.params,
        "refit.of": event.trial_run,
        "refit.protocol": event.protocol,
        "refit.reason": event.reason,
        "refit.validation": event.validation,
    }
    params = {**setting_texts(event.settings), **param_texts(event.params)}
    return run.record(tags=run.tags(Stage.REFIT, tags), params=params)


def refit_linked(event: RefitLinked, run: RunWrites) -> Writes:
    """Nothing: the tags have said it since RefitStarted."""
    del event, run
    return ()


def _objectives_text(objectives: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{metric}:{direction}" for metric, direction in objectives)
