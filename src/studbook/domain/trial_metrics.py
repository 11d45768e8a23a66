"""The numbers of a COMPLETE trial, over its folds."""

from __future__ import annotations

from collections.abc import Sequence

from .aggregate import mean, summarise_folds
from .event_values import Metrics
from .stage import Stage
from .study import Objective, StudyDefinition


def intermediate_metric(objectives: Sequence[Objective], fold: int | None = None) -> str:
    """The name under which reports are recorded; `fold` where they are on the run of the fold's trial."""
    return on_trial(f"intermediate_{objectives[0].metric}", fold)


def report_metric(stage: Stage, objectives: Sequence[Objective], fold: int | None) -> str:
    """The name that a run of this stage has its reports under, when it trains on this split."""
    if stage is Stage.TRIAL:
        return intermediate_metric(objectives, fold)
    return intermediate_metric(objectives) if stage is Stage.FOLD else "reported"


def on_trial(metric: str, fold: int | None) -> str:
    """The name of a fold's metric on its trial's run; as it is, where the run is its own (None)."""
    return metric if fold is None else f"{metric}_fold_{fold}"


def trial_values(study: StudyDefinition, folds: Sequence[Metrics]) -> Metrics:
    """Each objective's value: the study's aggregate over the folds, in fold order."""
    return {
        objective.metric: summarise_folds(
            [fold[objective.metric] for fold in folds], study.fold_aggregate, objective.direction
        ).value
        for objective in study.objectives
    }


def trial_spread(study: StudyDefinition, folds: Sequence[Metrics]) -> Metrics:
    """What a trial says besides its values: `<m>_std` and `<m>_se` of each objective (from two folds on), the
    mean of every other metric that all folds reported, and `folds_scored`.
    """
    spread: Metrics = {"folds_scored": float(len(folds))}
    names = {objective.metric for objective in study.objectives}
    for objective in study.objectives:
        values = [fold[objective.metric] for fold in folds]
        summary = summarise_folds(values, study.fold_aggregate, objective.direction)
        if summary.std is not None and summary.se is not None:
            spread |= {f"{objective.metric}_std": summary.std, f"{objective.metric}_se": summary.se}
    shared = set.intersection(*(set(fold) for fold in folds)) - names
    # What is computed wins over a metric that the training happens to name like it.
    return {name: mean([fold[name] for fold in folds]) for name in sorted(shared)} | spread
