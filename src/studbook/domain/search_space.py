"""The search space: which parameters a study varies, and how given params are typed by it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field, JsonValue, model_serializer

from .checked import Checked, nearest
from .distributions import Categorical, Distribution, Fixed, FloatRange, IntRange, parse_distribution
from .errors import IdentityError, StudyInvalid, TrialParamsInvalid
from .plain import plain

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}", re.ASCII)
_FAMILY_NAMES = frozenset({"model_family", "backbone"})


class SearchSpace(Checked):
    """Named distributions. Build one with `parse`; a range of one point becomes `Fixed`."""

    ERROR = StudyInvalid

    parameters: dict[str, Distribution] = Field(min_length=1)

    @classmethod
    def parse(cls, given: object, *, at: str = "study.search_space") -> SearchSpace:
        """The space of a mapping from name to distribution, or to a mapping like `{"type": "float", …}`.

        Raises StudyInvalid, or IdentityError for a bound or choice that has no canonical form.
        """
        if isinstance(given, SearchSpace):
            return given
        if not isinstance(given, Mapping):
            raise StudyInvalid(f"{at}: not a mapping", cure="pass a mapping from name to distribution")
        if not given:
            raise StudyInvalid(f"{at}: the space is empty", cure="declare at least one parameter")
        parameters = {
            _name(name, at): parse_distribution(each, f"{at}.{name}") for name, each in given.items()
        }
        return cls(parameters=parameters)

    def model_post_init(self, _context: object, /) -> None:
        for name, distribution in self.parameters.items():
            _name(name, "study.search_space")
            self.parameters[name] = distribution.simplified()

    def __getitem__(self, name: str) -> Distribution:
        return self.parameters[name]

    def __len__(self) -> int:
        return len(self.parameters)

    def names(self) -> Iterator[str]:
        """The parameters' names, as declared."""
        return iter(self.parameters)

    @property
    def constants(self) -> dict[str, JsonValue]:
        """The fixed parameters with their values."""
        return {name: each.value for name, each in self.parameters.items() if isinstance(each, Fixed)}

    @model_serializer
    def payload(self) -> dict[str, Any]:
        """What the study's key takes of it: also how it is written, and parsed again."""
        return {name: each.payload() for name, each in self.parameters.items()}

    def typed(self, params: Mapping[str, Any]) -> dict[str, JsonValue]:
        """The params with the types that their distributions declare, in the space's order.

        Numbers on a grid snap to it. Raises TrialParamsInvalid when a param is missing, unknown, out of
        range, off the grid or none of the choices.
        """
        for name in params:
            if name not in self.parameters:
                raise TrialParamsInvalid(
                    f"params.{name}: not in the search space", cure=nearest(name, self.parameters)
                )
        missing = [name for name in self.parameters if name not in params]
        if missing:
            raise TrialParamsInvalid(
                f"params lack {', '.join(missing)}",
                cure="give every parameter of the space, fixed ones included",
            )
        return {name: each.typed(params[name], f"params.{name}") for name, each in self.parameters.items()}


class DynamicSpace(Checked):
    """A space that the training code defines as it runs; `revision` is the user's word for which one."""

    ERROR = StudyInvalid

    revision: str = Field(min_length=1)

    @model_serializer
    def payload(self) -> str:
        """What the study's key takes of it."""
        return f"dynamic:{self.revision}"

    def typed(self, params: Mapping[str, Any]) -> dict[str, JsonValue]:
        """The params as they are, as JSON values. Raises TrialParamsInvalid for what JSON cannot hold."""
        try:
            found = plain(dict(params), at="params")
        except IdentityError as error:
            raise TrialParamsInvalid(error.problem, cure=error.cure) from error
        assert isinstance(found, dict)  # noqa: S101 - a mapping's plain form is a dict
        return found


def float_range(low: float, high: float, *, log: bool = False, step: float | None = None) -> FloatRange:
    """Real numbers from `low` to `high`, both included: on a grid (`step`), even in the logarithm (`log`)."""
    return FloatRange(low=low, high=high, log=log, step=step)


def int_range(low: int, high: int, *, log: bool = False, step: int = 1) -> IntRange:
    """Whole numbers from `low` to `high`, both included if `step` reaches them."""
    return IntRange(low=low, high=high, log=log, step=step)


def choice(*values: object) -> Categorical:
    """One of the values; their order means nothing."""
    return Categorical.model_validate({"choices": values})


def fixed(value: object) -> Fixed:
    """One value, recorded as a parameter."""
    return Fixed.model_validate({"value": value})


def _name(name: object, at: str) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise StudyInvalid(
            f"{at}: {str(name)[:80]!r} is no parameter name",
            cure="begin with a letter or _, go on with letters, digits and _ . - (at most 128)",
        )
    if name in _FAMILY_NAMES:
        raise StudyInvalid(
            f"{at}.{name}: a study searches one model family",
            cure="make one study per family and name it in `model_family`",
        )
    return name
