"""Our distributions in Optuna's terms, and back.

Fixed parameters are not sampled. Choices go in our canonical order, as themselves where Optuna can tell them
apart (it takes True for 1, and stores plain values only), else all of them as JSON text behind `json:`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from ...domain.canonical import canonical
from ...domain.distributions import Categorical, Distribution, Fixed, FloatRange, IntRange
from ...domain.errors import StudyInvalid
from ...domain.grid import grid
from ...domain.search_space import SearchSpace

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

_ENCODED = "json:"
_MAX_INT = 2**53 - 1  # Optuna keeps numbers as floats
_ROUNDING = 1e-7  # of a step: how far off its grid a float may be


class OptunaSpace:
    """A search space as Optuna sees it. Raises StudyInvalid for numbers that floats cannot tell apart."""

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._choices = {
            name: dict(zip(_encoded(each.choices), each.choices, strict=True))
            for name, each in _parameters(space)
            if isinstance(each, Categorical)
        }
        self.distributions = {
            name: _distribution(name, each)
            for name, each in _parameters(space)
            if not isinstance(each, Fixed)
        }

    def params(self, sampled: Mapping[str, Any]) -> dict[str, JsonValue]:
        """Optuna's params as the study's, typed, with the fixed ones. What was never sampled is left out."""
        params: dict[str, JsonValue] = {}
        for name in self._space.names():
            each = self._space[name]
            if isinstance(each, Fixed):
                params[name] = deepcopy(each.value)
            elif name in sampled:
                params[name] = self._value(name, each, sampled[name])
        return params

    def sampled(self, params: Mapping[str, JsonValue]) -> dict[str, Any]:
        """The study's params as Optuna's, without the fixed ones. Raises TrialParamsInvalid."""
        typed = self._space.typed(params)
        return {name: self._optunas(name, typed[name]) for name in self.distributions}

    def grid(self) -> dict[str, list[Any]]:
        """Optuna's values of each sampled parameter. Raises StudyInvalid for no grid, or too large a one."""
        return {
            name: [self._optunas(name, value) for value in values]
            for name, values in grid(self._space).items()
            if name in self.distributions
        }

    def _optunas(self, name: str, value: JsonValue) -> Any:
        if name not in self._choices:
            return value
        wanted = canonical(value)
        return next(each for each, ours in self._choices[name].items() if canonical(ours) == wanted)

    def _value(self, name: str, each: FloatRange | IntRange | Categorical, sampled: Any) -> JsonValue:
        if isinstance(each, Categorical):
            chosen: JsonValue = deepcopy(self._choices[name][sampled])
            return chosen
        if isinstance(each, FloatRange):
            # A logarithm and back may leave the range by a rounding error.
            return each.typed(min(max(float(sampled), each.low), each.high), name)
        return each.typed(sampled, name)


def space_of(
    distributions: Mapping[str, BaseDistribution], constants: Mapping[str, JsonValue]
) -> SearchSpace:
    """The search space that these distributions and fixed values stand for. Raises StudyInvalid."""
    fixed = {name: Fixed(value=value) for name, value in constants.items()}
    return SearchSpace.parse({name: _declared(name, each) for name, each in distributions.items()} | fixed)


def _parameters(space: SearchSpace) -> list[tuple[str, Distribution]]:
    return [(name, space[name]) for name in sorted(space.names())]


def _distribution(name: str, each: FloatRange | IntRange | Categorical) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(each, Categorical):
        return CategoricalDistribution(_encoded(each.choices))
    if isinstance(each, IntRange):
        if max(abs(each.low), abs(each.high)) > _MAX_INT:
            raise _too_fine(name, "whole numbers beyond 2^53")
        return IntDistribution(each.low, each.high, log=each.log, step=each.step)
    if math.isinf(each.high - each.low):
        raise _too_fine(name, "a range wider than the largest float")
    if each.step is not None and not _is_exact(each, each.step):
        raise _too_fine(name, f"steps of {each.step} from {each.low}")
    return FloatDistribution(each.low, each.high, log=each.log, step=each.step)


def _is_exact(each: FloatRange, step: float) -> bool:
    fine = math.ulp(max(abs(each.low), abs(each.high))) <= _ROUNDING * step
    return fine and not (Decimal(repr(each.high)) - Decimal(repr(each.low))) % Decimal(repr(step))


def _too_fine(name: str, what: str) -> StudyInvalid:
    return StudyInvalid(
        f"study.search_space.{name}: Optuna cannot sample {what}",
        cure="scale the parameter, or list its choices",
    )


def _encoded(choices: Sequence[JsonValue]) -> list[Any]:
    plain = [choice for choice in choices if not isinstance(choice, list | dict)]
    if len(set(plain)) == len(choices) and all(_is_native(each) for each in plain) and not _is_text(choices):
        return plain
    return [_ENCODED + json.dumps(choice, sort_keys=True) for choice in choices]


def _is_text(choices: Sequence[Any]) -> bool:
    """Whether these would be read as JSON text."""
    return all(isinstance(choice, str) and choice.startswith(_ENCODED) for choice in choices)


def _is_native(choice: int | float | str | None) -> bool:
    return not isinstance(choice, int) or abs(choice) <= _MAX_INT


def _declared(name: str, each: BaseDistribution) -> Distribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(each, CategoricalDistribution):
        choices: Sequence[Any] = each.choices
        if _is_text(choices):
            choices = [json.loads(choice.removeprefix(_ENCODED)) for choice in choices]
        return Categorical.model_validate({"choices": tuple(choices)})
    if isinstance(each, IntDistribution):
        return IntRange(low=each.low, high=each.high, log=each.log, step=each.step)
    if isinstance(each, FloatDistribution):
        return FloatRange(low=each.low, high=each.high, log=each.log, step=each.step)
    raise StudyInvalid(
        f"{name}: {type(each).__name__} is no distribution of Optuna", cure="use its three current ones"
    )
