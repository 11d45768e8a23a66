"""A trial to train, and the ways that it can end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from ..domain.errors import MetricValueInvalid
from ..domain.event_values import Metrics
from ..domain.folds import Fold
from ..domain.keys import FoldKey, RunKey, TrialKey
from ..domain.run import EndReason
from ..domain.run_events import RunStarted
from ..domain.study import StudyDefinition
from .train_context import TrainingFunction


@dataclass(frozen=True, slots=True)
class ScoredFold:
    """A FINISHED fold run and what it reported: the same split of the same point need not be trained again."""

    run: RunKey
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class TrialPlan:
    """One trial to train. `folds` is empty when the training function evaluates in its own way; a fold is None
    when its split is not known beforehand. `scored_folds` are those that earlier attempts left; new ones are
    added.
    """

    study: StudyDefinition
    train: TrainingFunction
    number: int
    trial_key: TrialKey
    run_key: RunKey
    started: RunStarted
    attempt: int
    params: Mapping[str, JsonValue]
    seed: int | None
    experiment: str
    folds: tuple[Fold | None, ...]
    fold_runs: bool
    work_dir: Path
    scored_folds: dict[FoldKey, ScoredFold]


@dataclass(frozen=True, slots=True)
class Completed:
    """Every objective is there and finite, aggregated over the folds."""

    values: Metrics
    metrics: Metrics
    folds: tuple[Metrics, ...] = ()
    last_step: int = 0


@dataclass(frozen=True, slots=True)
class Pruned:
    """Given up at `step`, when the objective stood at `last_value`."""

    step: int
    last_value: float | None


@dataclass(frozen=True, slots=True)
class Failed:
    """No usable objective."""

    reason: EndReason
    error: str


Outcome = Completed | Pruned | Failed


def checked_report(value: float, step: int, last: tuple[int, float] | None) -> tuple[int, float]:
    """The report as (step, value). Raises MetricValueInvalid unless finite, at a later step than the last."""
    if not math.isfinite(value) or (last is not None and step <= last[0]):
        raise MetricValueInvalid(
            f"report({value}, step={step}) after step {last[0] if last else 'none'}",
            cure="report finite values, with increasing steps",
        )
    return int(step), float(value)
