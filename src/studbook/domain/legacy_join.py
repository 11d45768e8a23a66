"""What a legacy run does not tell by itself, taken from the runs around it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from .legacy_run import fold_scores, with_objective
from .run_view import RunView
from .stage import Stage


def join_legacy(runs: Iterable[RunView]) -> list[RunView]:
    """The runs, in their order: trials with the params and metrics of their parts and with their sweep's objective,
    folds with their trial's key.

    A part is a run with a `trial_number` below a trial; it is dropped, once it was read.
    """
    views = list(runs)
    by_ref = {view.ref: view for view in views}
    parts: dict[str, list[RunView]] = {}
    for view in views:
        if _is_part(view, by_ref.get(view.parent or "")):
            parts.setdefault(view.parent or "", []).append(view)
    joined = [
        _trial(view, parts.get(view.ref, []), by_ref.get(view.parent or ""))
        if view.stage is Stage.TRIAL
        else view
        for view in views
        if view.stage is not None
    ]
    trials = {(view.parent, view.trial_number): view for view in joined if view.stage is Stage.TRIAL}
    return [
        _fold(view, trials.get((view.parent, view.trial_number))) if view.stage is Stage.FOLD else view
        for view in joined
    ]


def _is_part(view: RunView, parent: RunView | None) -> bool:
    return (
        view.stage is None
        and "code.stage" not in view.tags
        and "trial_number" in view.tags
        and parent is not None
        and parent.stage is Stage.TRIAL
    )


def _trial(view: RunView, parts: list[RunView], sweep: RunView | None) -> RunView:
    params, metrics = dict(view.params), dict(view.metrics)
    for part in parts:
        params = {**part.params, **params}
        metrics = {**part.metrics, **metrics}
    objectives = view.objectives or (sweep.objectives if sweep else ())
    objective = objectives[0][0] if objectives else None
    return replace(
        view,
        params=params,
        metrics=with_objective(metrics, objective),
        folds=view.folds or fold_scores(metrics, objective),
        objectives=objectives,
    )


def _fold(view: RunView, trial: RunView | None) -> RunView:
    if trial is None or view.trial_number is None:
        return view
    return replace(
        view, trial_key=view.trial_key or trial.trial_key, study_key=view.study_key or trial.study_key
    )
