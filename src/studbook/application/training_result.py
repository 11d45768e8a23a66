"""Judges what a training function returned."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ..domain.errors import InvalidInput
from ..domain.event_values import Metrics
from ..domain.recorded_values import metric_values
from ..domain.run import EndReason
from ..domain.stage import Stage
from ..domain.study import Objective


@dataclass(frozen=True, slots=True)
class Scored:
    """Every objective is there and finite. `metrics` are all numbers that were returned."""

    objectives: Metrics
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class Unusable:
    """The result decides nothing, and why."""

    reason: EndReason
    error: str


def judge(returned: object, objectives: tuple[Objective, ...], stage: Stage) -> Scored | Unusable:
    """The objective values of a result: a mapping of metrics, or one number for a single objective."""
    names = [objective.metric for objective in objectives]
    if isinstance(returned, Mapping):
        raw: Mapping[str, float] = returned
    elif returned is not None and len(names) == 1 and not isinstance(returned, str | bytes | bool):
        raw = {names[0]: returned}  # type: ignore[dict-item]  # checked by metric_values
    else:
        return Unusable(
            EndReason.MISSING_OBJECTIVE,
            f"the training function returned {type(returned).__name__}; return a mapping with {_listed(names)}",
        )
    try:
        metrics = metric_values(raw, stage)
    except InvalidInput as error:
        return Unusable(EndReason.MISSING_OBJECTIVE, str(error))
    missing = [name for name in names if name not in metrics]
    if missing:
        return Unusable(
            EndReason.MISSING_OBJECTIVE,
            f"objective {_listed(missing)} not reported; reported: {_listed(sorted(metrics)) or 'nothing'}",
        )
    bad = {name: metrics[name] for name in names if not math.isfinite(metrics[name])}
    if bad:
        listed = ", ".join(f"{name} is {value}" for name, value in bad.items())
        return Unusable(EndReason.NON_FINITE_OBJECTIVE, listed)
    return Scored({name: metrics[name] for name in names}, metrics)


def _listed(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names)
