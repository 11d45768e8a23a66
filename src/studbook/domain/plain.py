"""Copies of raw values that keep their canonical form: for fields that hold what a user gave."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pydantic import JsonValue

from .canonical import Path, key_text, members_of, normalise, refused, unwrapped

_MOST_DIGITS = 4300  # what Python itself agrees to read as an int


def plain(value: object, *, at: str = "") -> JsonValue:
    """The JSON value with the same canonical form: numpy scalars become numbers, tuples lists, times text.

    Raises IdentityError where there is none: sets, bytes, decimals that no float equals, integers of more than
    4300 digits.
    """
    return _unescaped(normalise(value, at=at), (at,) if at else ())


def detached(value: object, *, at: str = "") -> Any:
    """A copy with the same canonical form that shares no list or mapping with `value`.

    As `plain`, but numbers, sets (frozen) and bytes stay what they are, and durations that no float equals become
    decimals.
    """
    normalise(value, at=at)
    return _copy(value)


def _copy(value: Any) -> Any:
    value = unwrapped(value)
    members = members_of(value)
    if members is not None:
        return {key_text(key): _copy(item) for key, item in members.items()}
    if isinstance(value, (list, tuple)):
        return [_copy(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return frozenset(value)
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if isinstance(value, (int, float, Decimal)):
        return value
    normal = normalise(value)
    if isinstance(normal, dict) and "$dec" in normal:
        return Decimal(str(normal["$dec"]))
    return _unescaped(normal, ())


def _unescaped(value: JsonValue, path: Path) -> JsonValue:
    if isinstance(value, list):
        return [_unescaped(item, (*path, i)) for i, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if len(value) == 1 and (key := next(iter(value))).startswith("$") and not key.startswith("$$"):
        if key == "$int":
            return _integer(str(value[key]), path)
        raise refused(
            path, "a value that JSON cannot hold", "pass text, a number, a list or a mapping of these"
        )
    return {_name(key): _unescaped(item, (*path, key)) for key, item in value.items()}


def _integer(digits: str, path: Path) -> int:
    if len(digits) > _MOST_DIGITS:
        raise refused(path, f"an integer of {len(digits)} digits", "pass it as text")
    return int(digits)


def _name(key: str) -> str:
    return key[1:] if key.startswith("$$") else key
