"""A sampler without a vendor: points drawn at random, or a grid in order, kept in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import product
from random import Random
from statistics import median

from pydantic import JsonValue

from ...domain.canonical import canonical
from ...domain.checked import nearest
from ...domain.errors import InvalidInput, StudyInvalid, SweepError
from ...domain.grid import grid
from ...domain.objective_values import intermediate_value, objective_values
from ...domain.search_space import SearchSpace
from ...domain.study import Direction, Pruning, StudyDefinition
from ...ports.sampler import Proposal, SampledStudy, SampledTrial, TrialState
from .random_point import random_point

_ALGORITHMS = ("tpe", "random", "grid")
_PRUNERS = {"none": (), "median": ("n_startup_trials", "n_warmup_steps")}


@dataclass(slots=True)
class _Trial:
    told: SampledTrial
    reports: dict[int, float] = field(default_factory=dict)


class MemorySampler:
    """Keeps studies as long as it lives. `tpe` is `random` here; samplers take no options.

    The pruner `median` gives up a point whose best report is worse than the median of the complete points'
    reports at the same step.
    """

    def __init__(self) -> None:
        self._studies: dict[str, list[_Trial]] = {}

    def open(self, study: StudyDefinition, seed: int | None) -> SampledStudy:
        """The study, new or resumed. Raises StudyInvalid for what only a real sampler can do."""
        if not isinstance(study.space, SearchSpace):
            raise StudyInvalid(
                "a space defined by the training code cannot be asked for points",
                cure="declare the search space",
            )
        if study.sampling.algorithm not in _ALGORITHMS:
            raise StudyInvalid(
                f"there is no sampler {study.sampling.algorithm!r}",
                cure=nearest(study.sampling.algorithm, _ALGORITHMS),
            )
        for option in study.sampling.options:
            raise StudyInvalid(f"this sampler has no option {option!r}", cure="remove it")
        if study.pruning is not None:
            _check(study.pruning)
        points = _grid(study.space) if study.sampling.algorithm == "grid" else None
        return _MemoryStudy(study, study.space, self._studies.setdefault(study.key, []), points, Random(seed))  # noqa: S311 no secret


class _MemoryStudy:
    def __init__(
        self,
        study: StudyDefinition,
        space: SearchSpace,
        trials: list[_Trial],
        points: Iterator[dict[str, JsonValue]] | None,
        random: Random,
    ) -> None:
        self._study = study
        self._space = space
        self._trials = trials
        self._points = points
        self._random = random

    def ask(self) -> Proposal | None:
        point = self._untried(self._points) if self._points else random_point(self._space, self._random)
        if point is None:
            return None
        number = len(self._trials)
        self._trials.append(_Trial(SampledTrial(number, deepcopy(point), TrialState.RUNNING, None, {})))
        return Proposal(number, deepcopy(point))

    def report(self, number: int, value: float, step: int) -> None:
        trial = self._unfinished(number)
        trial.reports[step] = intermediate_value(value, step, max(trial.reports, default=None))

    def should_prune(self, number: int) -> bool:
        trial = self._unfinished(number)
        pruning = self._study.pruning
        if pruning is None or pruning.algorithm == "none" or not trial.reports:
            return False
        step = max(trial.reports)
        complete = [each.reports for each in self._trials if each.told.state is TrialState.COMPLETE]
        others = [reports[step] for reports in complete if step in reports]
        if len(complete) < max(1, pruning.options.get("n_startup_trials", 5)) or not others:
            return False
        if step < pruning.options.get("n_warmup_steps", 0):
            return False
        if self._study.objectives[0].direction is Direction.MAXIMIZE:
            return max(trial.reports.values()) < median(others)
        return min(trial.reports.values()) > median(others)

    def complete(self, number: int, values: Sequence[float], attributes: Mapping[str, str]) -> None:
        checked = objective_values(values, len(self._study.objectives))
        self._end(number, TrialState.COMPLETE, checked, attributes)

    def prune(self, number: int, attributes: Mapping[str, str]) -> None:
        self._end(number, TrialState.PRUNED, None, attributes)

    def fail(self, number: int, attributes: Mapping[str, str]) -> None:
        self._end(number, TrialState.FAILED, None, attributes)

    def add(self, trial: SampledTrial) -> int:
        if trial.state is TrialState.RUNNING:
            raise InvalidInput("a running point cannot be taken over", cure="add it when it has ended")
        complete = trial.state is TrialState.COMPLETE
        values = objective_values(trial.values or (), len(self._study.objectives)) if complete else None
        number, params = len(self._trials), self._space.typed(trial.params)
        self._trials.append(_Trial(SampledTrial(number, params, trial.state, values, dict(trial.attributes))))
        return number

    def trials(self) -> tuple[SampledTrial, ...]:
        return tuple(deepcopy(each.told) for each in self._trials)

    def close(self) -> None:
        """Nothing to give back."""

    def _end(
        self,
        number: int,
        state: TrialState,
        values: tuple[float, ...] | None,
        attributes: Mapping[str, str],
    ) -> None:
        trial = self._trial(number)
        ended = trial.told
        if ended.state is TrialState.RUNNING:
            trial.told = replace(ended, state=state, values=values, attributes=dict(attributes))
        elif (ended.state, ended.values) != (state, values):
            raise SweepError(
                f"trial {number} has ended as {ended.state}, it cannot become {state}",
                cure="tell each point's end once; another end is another trial",
            )

    def _untried(self, points: Iterator[dict[str, JsonValue]]) -> dict[str, JsonValue] | None:
        tried = {canonical(each.told.params) for each in self._trials}
        return next((point for point in points if canonical(point) not in tried), None)

    def _trial(self, number: int) -> _Trial:
        if not 0 <= number < len(self._trials):
            raise SweepError(f"the study has no trial {number}", cure="tell only points that were asked for")
        return self._trials[number]

    def _unfinished(self, number: int) -> _Trial:
        trial = self._trial(number)
        if trial.told.state is not TrialState.RUNNING:
            raise SweepError(f"trial {number} has ended", cure="report before telling the end")
        return trial


def _grid(space: SearchSpace) -> Iterator[dict[str, JsonValue]]:
    values = grid(space)
    return (dict(zip(values, point, strict=True)) for point in product(*values.values()))


def _check(pruning: Pruning) -> None:
    if pruning.algorithm not in _PRUNERS:
        raise StudyInvalid(
            f"there is no pruner {pruning.algorithm!r}", cure=nearest(pruning.algorithm, _PRUNERS)
        )
    for option in pruning.options:
        if option not in _PRUNERS[pruning.algorithm]:
            raise StudyInvalid(
                f"the pruner {pruning.algorithm!r} has no option {option!r}",
                cure=nearest(option, _PRUNERS[pruning.algorithm]),
            )
