"""The canonical form of a value: equal things give equal bytes, on every machine.

JSON by RFC 8785 over a normalised value. What has no faithful JSON form becomes a `$`-named object; what has
no stable meaning (NaN, naive times, absolute paths, arrays, callables) is refused.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import MAX_EMAX, MAX_PREC, Context, Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

import rfc8785
from pydantic import BaseModel, JsonValue

from .errors import IdentityError

MAX_DEPTH = 32
MAX_BYTES = 1024 * 1024
_MAX_SAFE = 2**53 - 1
_SAFE_DIGITS = len(str(-_MAX_SAFE))

_SMALL_BITS = 1000  # up to here one conversion is fastest
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX)

_COMMON = frozenset({str, int, float, bool, type(None), list, dict})

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Unordered:
    """A list whose order means nothing: normalises to a plain array, sorted and without duplicates."""

    values: tuple[Any, ...]


def unordered(values: Iterable[Any]) -> Unordered:
    """Mark a list as one without order."""
    return Unordered(tuple(values))


def canonical(value: object, *, at: str = "", max_bytes: int | None = MAX_BYTES) -> bytes:
    """The canonical bytes, UTF-8. `at` names the value in errors.

    Raises IdentityError for what has no canonical form, is nested deeper than 32 or longer than `max_bytes`.
    """
    content = rfc8785.dumps(normalise(value, at=at, max_nodes=max_bytes))
    if max_bytes is not None and len(content) > max_bytes:
        raise _too_large((at,) if at else ())
    return content


def normalise(value: object, *, at: str = "", max_nodes: int | None = MAX_BYTES) -> JsonValue:
    """The JSON value that stands for `value`. Run it once, over the raw value: it escapes `$` each time."""
    return _Normaliser(max_nodes).normalise(value, (at,) if at else (), 1)


def content_digest_text(content: bytes) -> str:
    """`sha256:<64 hex>` of raw bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def place(path: Path) -> str:
    """A path as text: `study.search_space.lr.low`, `choices[2]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part[:80]}" for part in path)
    return text.removeprefix(".") or "the value"


def refused(path: Path, problem: str, cure: str) -> IdentityError:
    """The error for a value that has no canonical form."""
    where = place(path)
    return IdentityError(f"{where}: {problem}", cure=cure, path=where, steps=path)


def _too_large(path: Path) -> IdentityError:
    return refused(path, f"more than {MAX_BYTES} bytes in canonical form", "pass a digest of it")


@dataclass(slots=True)
class _Normaliser:
    """One walk. Every node takes a byte, so counting nodes also stops values that share their parts."""

    max_nodes: int | None
    nodes: int = field(default=0)

    def normalise(self, value: Any, path: Path, depth: int) -> JsonValue:
        self.nodes += 1
        if self.max_nodes is not None and self.nodes > self.max_nodes:
            raise _too_large(path)
        if type(value) not in _COMMON:
            value = unwrapped(value, path)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, (str, int, float, Decimal)):
            return _text_or_number(value, path)
        members = members_of(value)
        if members is None and not isinstance(value, (list, tuple, set, frozenset, Unordered)):
            return _special(value, path)
        if depth > MAX_DEPTH:
            raise refused(path, f"nested deeper than {MAX_DEPTH}", "pass a digest of the inner part")
        if members is not None:
            return self._object(members, path, depth)
        if isinstance(value, (list, tuple)):
            return [self.normalise(item, (*path, i), depth + 1) for i, item in enumerate(value)]
        if isinstance(value, Unordered):
            return self._sorted(value.values, path, depth)
        return {"$set": self._sorted(value, path, depth)}

    def _object(self, members: Mapping[Any, Any], path: Path, depth: int) -> JsonValue:
        result: dict[str, JsonValue] = {}
        for key, item in members.items():
            name = key_text(key, path)
            escaped = f"${name}" if name.startswith("$") else name
            if escaped in result:
                raise refused((*path, name), "the key is there as text and as int", "keep one of the two")
            result[escaped] = self.normalise(item, (*path, name), depth + 1)
        return result

    def _sorted(self, values: Iterable[Any], path: Path, depth: int) -> list[JsonValue]:
        by_bytes: dict[bytes, JsonValue] = {}
        for i, item in enumerate(values):
            normal = self.normalise(item, (*path, i), depth + 1)
            by_bytes[rfc8785.dumps(normal)] = normal
        return [by_bytes[key] for key in sorted(by_bytes)]


def unwrapped(value: Any, path: Path = ()) -> Any:
    """The value of an Enum member or numpy scalar (known by its looks); anything else as it is."""
    while isinstance(value, Enum):
        value = value.value
    dtype = getattr(value, "dtype", None)
    if dtype is None or getattr(value, "shape", None) != () or not hasattr(value, "item"):
        return value
    if getattr(dtype, "kind", "") in ("m", "M"):
        raise refused(path, f"{dtype} has no time zone and an own unit", "pass an aware datetime or seconds")
    item = value.item()
    if hasattr(item, "dtype"):
        raise refused(path, f"{dtype} has no equal Python number", "pass float(value)")
    return unwrapped(item, path)


def members_of(value: Any) -> Mapping[Any, Any] | None:
    """The members of a mapping, dataclass instance or pydantic model; None for anything else."""
    if isinstance(value, Unordered):
        return None
    if isinstance(value, Mapping):
        return value
    if isinstance(value, BaseModel):
        return {
            **{name: getattr(value, name) for name in type(value).model_fields},
            **(value.model_extra or {}),
        }
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    return None


def key_text(key: Any, path: Path = ()) -> str:
    """The text of an object's key: text itself, or the digits of an int."""
    key = unwrapped(key, path)
    if isinstance(key, str):
        return _text(key, path)
    if isinstance(key, int) and not isinstance(key, bool):
        return _digits(key, path)
    raise refused(path, f"a key of type {_type(key)}", "keys are text or int")


def _text_or_number(value: str | float | Decimal, path: Path) -> JsonValue:
    if isinstance(value, str):
        return _text(value, path)
    if isinstance(value, int):
        return _integer(value, path)
    if isinstance(value, Decimal):
        return _decimal(value, path)
    if value != value or value in (float("inf"), float("-inf")):
        raise _not_finite(value, path)
    return _integer(int(value), path) if value.is_integer() else float(value)


def _text(value: str, path: Path) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise refused(path, "text with a lone surrogate", "pass valid Unicode, or bytes") from error
    return str(value)


def _integer(value: int, path: Path) -> JsonValue:
    if abs(value) <= _MAX_SAFE:
        return int(value)
    return {"$int": _digits(value, path)}


def _digits(value: int, path: Path) -> str:
    if value.bit_length() > 4 * MAX_BYTES:
        raise _too_large(path)
    return f"{_decimal_of(value):f}"  # str(int) refuses more than 4300 digits


def _decimal_of(value: int) -> Decimal:
    """The exact decimal, by halves: one conversion takes time in the square of the digits."""
    bits = value.bit_length()
    if bits <= _SMALL_BITS:
        return Decimal(value)
    low_bits = bits // 2
    high = value >> low_bits
    low = value - (high << low_bits)
    scaled = _EXACT.multiply(_decimal_of(high), _EXACT.power(Decimal(2), low_bits))
    return _EXACT.add(scaled, _decimal_of(low))


def _decimal(value: Decimal, path: Path) -> JsonValue:
    if not value.is_finite():
        raise _not_finite(value, path)
    sign, digits, exponent = value.as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    stripped = text.rstrip("0")
    shift = int(exponent) + len(text) - len(stripped)
    if not stripped:
        return 0
    if shift >= 0:
        if shift > MAX_BYTES:
            raise _too_large(path)
        return _integral(f"{'-' if sign else ''}{stripped}{'0' * shift}")
    if Decimal(repr(float(value))) == value:
        return float(value)
    return {"$dec": f"{'-' if sign else ''}{stripped}E{shift}"}


def _integral(digits: str) -> JsonValue:
    """The integer of these digits: never made a number when it is a long one."""
    if len(digits) <= _SAFE_DIGITS and abs(int(digits)) <= _MAX_SAFE:
        return int(digits)
    return {"$int": digits}


def _special(value: Any, path: Path) -> JsonValue:
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": content_digest_text(bytes(value))}
    if isinstance(value, PurePath):
        if value.anchor:
            raise refused(path, "an absolute path is no identity", "pass a relative path or a content digest")
        return _text(value.as_posix(), path)
    if isinstance(value, datetime):
        return _moment(value, path)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return _decimal(Decimal(f"{value // timedelta(microseconds=1)}E-6"), path)
    if isinstance(value, UUID):
        return str(value)
    raise refused(path, f"{_type(value)} has no canonical form", _CURES.get(_looks(value), _ANY_CURE))


def _moment(value: datetime, path: Path) -> str:
    if value.tzinfo is None or value.utcoffset() is None:
        raise refused(path, "a datetime without time zone", "pass an aware datetime")
    if getattr(value, "nanosecond", 0):
        raise refused(path, "a time finer than a microsecond", "round it to microseconds")
    try:
        utc = value.astimezone(UTC).replace(tzinfo=None)
    except OverflowError as error:
        raise refused(path, "a datetime outside the years 1 to 9999 in UTC", "pass an earlier one") from error
    return utc.isoformat(timespec="microseconds" if utc.microsecond else "seconds") + "Z"


def _not_finite(value: object, path: Path) -> IdentityError:
    return refused(path, f"{value} of type {_type(value)} equals nothing", "pass a finite number or null")


def _type(value: object) -> str:
    return type(value).__qualname__


def _looks(value: object) -> str:
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return "array"
    return "callable" if callable(value) else ""


_CURES = {
    "array": "pass its content digest, or .tolist() if it is small",
    "callable": "pass a name for it, with a version",
}
_ANY_CURE = "pass text, a number, a list or a mapping of these, or a content digest"
