"""The distributions a parameter is drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, JsonValue, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from .canonical import canonical
from .checked import Checked, invalid, nearest
from .errors import IdentityError, StudyInvalid, TrialParamsInvalid
from .fields import Flag, Integer, Number, OptionalNumber, Plain, integer, number
from .plain import plain

Bound = TypeVar("Bound", int, float)

_SNAP = Decimal("1e-6")  # of a step: what floating-point sums miss a grid point by, and more


class Fixed(Checked):
    """One value."""

    ERROR = StudyInvalid

    type: Literal["fixed"] = "fixed"
    value: Plain

    def simplified(self) -> Fixed:
        """Itself."""
        return self

    def payload(self) -> dict[str, Any]:
        """What a study's key takes of it."""
        return {"type": "fixed", "value": self.value}

    def typed(self, value: object, at: str) -> JsonValue:
        """The declared value, if `value` equals it."""
        return _chosen((self.value,), value, at)


class FloatRange(Checked):
    """Real numbers from `low` to `high`, both included. With a step, `high` is the last point reached."""

    ERROR = StudyInvalid

    type: Literal["float"] = "float"
    low: Number
    log: Flag = False
    step: OptionalNumber = None
    high: Number

    @field_validator("high")
    @classmethod
    def _reachable(cls, high: float, info: ValidationInfo) -> float:
        low, step = info.data.get("low"), info.data.get("step")
        if low is None or "step" not in info.data:
            return high
        _check_bounds(low, high, step, log=info.data.get("log", False))
        if step is not None and info.data.get("log"):
            raise invalid("a logarithmic range of real numbers has no step", "drop `step` or `log`")
        return high if step is None else float(_last(low, high, step))

    def simplified(self) -> FloatRange | Fixed:
        """Fixed, if there is only one point."""
        return Fixed(value=self.low) if self.low == self.high else self

    def payload(self) -> dict[str, Any]:
        """What a study's key takes of it."""
        return _range_payload(self)

    def typed(self, value: object, at: str) -> float:
        """`value` as a float within the range, snapped to the grid."""
        found = float(_number(value, at))
        if self.step is not None:
            found = float(_snapped(found, self.low, self.step, at))
        return _within(found, self, at)


class IntRange(Checked):
    """Whole numbers from `low` to `high`; `high` is the last one that `step` reaches."""

    ERROR = StudyInvalid

    type: Literal["int"] = "int"
    low: Integer
    log: Flag = False
    step: Integer = 1
    high: Integer

    @field_validator("high")
    @classmethod
    def _reachable(cls, high: int, info: ValidationInfo) -> int:
        low, step = info.data.get("low"), info.data.get("step")
        if low is None or step is None:
            return high
        _check_bounds(low, high, step, log=info.data.get("log", False))
        if step != 1 and info.data.get("log"):
            raise invalid("a logarithmic range has no step other than 1", "drop `step` or `log`")
        return int(low + (high - low) // step * step)

    def simplified(self) -> IntRange | Fixed:
        """Fixed, if there is only one point."""
        return Fixed(value=self.low) if self.low == self.high else self

    def payload(self) -> dict[str, Any]:
        """What a study's key takes of it."""
        return _range_payload(self)

    def typed(self, value: object, at: str) -> int:
        """`value` as an int within the range."""
        try:
            found = integer(value)
        except PydanticCustomError as error:
            raise _untypable(error, at) from error
        if (found - self.low) % self.step:
            raise TrialParamsInvalid(
                f"{at}: {found} is not reached from {self.low} in steps of {self.step}",
                cure=f"pass {self.low} plus a multiple of {self.step}",
            )
        return _within(found, self, at)


class Categorical(Checked):
    """One of several values; kept sorted by canonical bytes, without duplicates."""

    ERROR = StudyInvalid

    type: Literal["categorical"] = "categorical"
    choices: tuple[Plain, ...] = Field(min_length=1)

    @field_validator("choices")
    @classmethod
    def _sorted(cls, choices: tuple[JsonValue, ...]) -> tuple[JsonValue, ...]:
        by_bytes = {canonical(each): each for each in choices}
        return tuple(by_bytes[key] for key in sorted(by_bytes))

    def simplified(self) -> Categorical | Fixed:
        """Fixed, if there is only one choice."""
        return Fixed(value=self.choices[0]) if len(self.choices) == 1 else self

    def payload(self) -> dict[str, Any]:
        """What a study's key takes of it."""
        return {"type": "categorical", "choices": list(self.choices)}

    def typed(self, value: object, at: str) -> JsonValue:
        """The choice that `value` equals."""
        return _chosen(self.choices, value, at)


Distribution = Annotated[FloatRange | IntRange | Categorical | Fixed, Field(discriminator="type")]

_KINDS: dict[str, type[FloatRange | IntRange | Categorical | Fixed]] = {
    "float": FloatRange,
    "int": IntRange,
    "categorical": Categorical,
    "fixed": Fixed,
}


def parse_distribution(given: object, at: str) -> FloatRange | IntRange | Categorical | Fixed:
    """The distribution of a mapping with a `type`, or the one given. Raises StudyInvalid."""
    if isinstance(given, (FloatRange, IntRange, Categorical, Fixed)):
        return given
    if not isinstance(given, Mapping):
        raise StudyInvalid(
            f"{at}: a {type(given).__qualname__} is no distribution",
            cure="use float_range, int_range, choice or fixed, or a mapping with a `type`",
        )
    kind = given.get("type")
    if kind not in _KINDS:
        problem = f"unknown type {str(kind)[:80]!r}" if "type" in given else "the type is missing"
        raise StudyInvalid(f"{at}.type: {problem}", cure=nearest(kind, _KINDS))
    return _KINDS[kind].parse(given, at=at)


def _range_payload(each: FloatRange | IntRange) -> dict[str, Any]:
    return {"type": each.type, "low": each.low, "high": each.high, "log": each.log, "step": each.step}


def _check_bounds(low: float, high: float, step: float | None, *, log: bool) -> None:
    if low > high:
        raise invalid(f"low {low} is above high {high}", "swap them")
    if log and low <= 0:
        raise invalid(f"a logarithmic range cannot begin at {low}", "pass a low above 0")
    if step is not None and step <= 0:
        raise invalid(f"step {step} goes nowhere", "pass a step above 0")


def _last(low: float, high: float, step: float) -> Decimal:
    start, width = Decimal(repr(low)), Decimal(repr(step))
    return start + (Decimal(repr(high)) - start) // width * width


def _snapped(value: float, low: float, step: float, at: str) -> Decimal:
    start, width = Decimal(repr(low)), Decimal(repr(step))
    steps = ((Decimal(repr(value)) - start) / width).to_integral_value()
    point = start + steps * width
    if abs(Decimal(repr(value)) - point) > _SNAP * width:
        raise TrialParamsInvalid(f"{at}: {value} is off the grid", cure=f"the nearest point is {point}")
    return point


def _within(value: Bound, bounds: FloatRange | IntRange, at: str) -> Bound:
    if not bounds.low <= value <= bounds.high:
        raise TrialParamsInvalid(
            f"{at}: {value} is out of range", cure=f"pass a value from {bounds.low} to {bounds.high}"
        )
    return value


def _number(value: object, at: str) -> float:
    try:
        return number(value)
    except PydanticCustomError as error:
        raise _untypable(error, at) from error


def _untypable(error: PydanticCustomError, at: str) -> TrialParamsInvalid:
    return TrialParamsInvalid(f"{at}: {error.message()}", cure=(error.context or {}).get("cure", ""))


def _chosen(choices: tuple[JsonValue, ...], value: object, at: str) -> JsonValue:
    try:
        wanted = canonical(value, at=at)
    except IdentityError as error:
        raise TrialParamsInvalid(error.problem, cure=error.cure) from error
    for each in choices:
        if canonical(each) == wanted:
            return plain(each)
    shown = ", ".join(canonical(each).decode() for each in choices[:20])
    raise TrialParamsInvalid(
        f"{at}: {wanted.decode()[:80]} is none of the choices", cure=f"choose from {shown}"
    )
