"""The objective of a decision: configured, or read from the studies, which must agree."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import MixedObjectives, PolicyInputMissing, PolicyInvalid
from ..run_view import RunView
from ..study import Direction
from .metric import MetricSpec
from .screen import key_fault
from .sections import ObjectiveConfig

_CURE = "narrow selection.scope.studies, or set selection.objective"


def resolve_objective(trials: Iterable[RunView], config: ObjectiveConfig) -> MetricSpec | None:
    """The objective of the trials that passed checks 1 to 4; None when nothing names one.

    Raises MixedObjectives when the studies disagree, or have several objectives and none is configured;
    PolicyInputMissing when none of them has the configured one, and no direction is configured.
    """
    recorded: set[tuple[tuple[str, str], ...]] = set()
    for run in trials:
        if run.objectives and run.objectives not in recorded and key_fault(run) is None:
            recorded.add(run.objectives)
    metric = config.metric or _metric_of(recorded)
    if metric is None:
        return None
    directions = {direction for objectives in recorded for name, direction in objectives if name == metric}
    if config.configured is not None:
        return _spec(config, metric, config.configured)
    known = sorted(directions & set(Direction))
    if len(known) > 1:
        raise MixedObjectives(
            f"the studies in scope both maximize and minimize {metric}", cure=_CURE, metric=metric
        )
    if not known and recorded:
        names = sorted({name for objectives in recorded for name, _ in objectives})
        raise PolicyInputMissing(
            f"no study in scope has the objective {metric!r}",
            cure=f"use {' or '.join(names)}, or also say selection.objective.direction for a metric that trials log",
            metric=metric,
            known=names,
        )
    return _spec(config, metric, Direction(known[0])) if known else None


def _metric_of(recorded: set[tuple[tuple[str, str], ...]]) -> str | None:
    several = [objectives for objectives in recorded if len(objectives) > 1]
    names = sorted({name for objectives in recorded for name, _ in objectives})
    if several or len(names) > 1:
        kind = "studies have several objectives" if several else "studies in scope have different objectives"
        raise MixedObjectives(f"the {kind}: {', '.join(names)}", cure=_CURE, metrics=names)
    return names[0] if names else None


def _spec(config: ObjectiveConfig, metric: str, direction: Direction) -> MetricSpec:
    try:
        return config.spec(metric, direction)
    except ValueError as error:
        raise PolicyInvalid(
            f"selection.objective.bounds are on the wrong sides: the studies {direction} {metric}",
            cure="swap worst and best",
            key="selection.objective.bounds",
        ) from error
