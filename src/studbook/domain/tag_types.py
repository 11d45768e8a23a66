"""The types of tags: how a value becomes text, and how the text is read back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from pydantic import JsonValue

from .canonical import canonical
from .errors import IdentityError
from .keys import Key

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_INT = re.compile(r"0|-?[1-9][0-9]*")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z")


@dataclass(frozen=True, slots=True)
class TagType:
    """A tag's type. `write` and `parse` are inverse; both raise ValueError for what is not of the type.

    `words` are all texts of an enumeration, else empty.
    """

    name: str
    write: Callable[[object], str]
    parse: Callable[[str], object]
    words: tuple[str, ...] = ()


def key_of(kind: type[Key]) -> TagType:
    """The full text of a key of one kind."""

    def parse(text: str) -> Key:
        try:
            return kind(text)
        except IdentityError as error:
            raise ValueError(error.problem) from error

    return TagType(f"key({kind.KIND})", lambda value: parse(_text(value)), parse)


def enum_of(members: type[StrEnum]) -> TagType:
    """The value of one member."""

    def parse(text: str) -> StrEnum:
        return members(text)

    return TagType("enum", lambda value: parse(_text(value)).value, parse, tuple(members))


def one_of(*words: str) -> TagType:
    """One of the given words."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"not one of {', '.join(words)}")
        return text

    return TagType("enum", lambda value: parse(_text(value)), parse, words)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{type(value).__name__} is no text")  # noqa: TRY004 - one error type for one contract
    return str(value)


def _any_text(value: object) -> str:
    text = _text(value)
    text.encode()  # a lone surrogate is a UnicodeEncodeError, which is a ValueError
    return text


def _parse_digest(text: str) -> str:
    if not _DIGEST.fullmatch(text):
        raise ValueError("no sha256 digest")
    return text


def _write_int(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{type(value).__name__} is no int")  # noqa: TRY004
    return str(value)


def _parse_int(text: str) -> int:
    if not _INT.fullmatch(text):
        raise ValueError("no decimal integer")
    return int(text)


def _write_bool(value: object) -> str:
    if not isinstance(value, bool):
        raise ValueError(f"{type(value).__name__} is no bool")  # noqa: TRY004
    return "true" if value else "false"


def _parse_bool(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("neither true nor false")
    return text == "true"


def _write_time(value: object) -> str:
    try:
        moment = _EPOCH + timedelta(milliseconds=int(_write_int(value)))
    except OverflowError as error:
        raise ValueError("beyond the year 9999") from error
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _parse_time(text: str) -> int:
    if not _TIME.fullmatch(text):
        raise ValueError("no RFC 3339 time in UTC with milliseconds")
    return (datetime.fromisoformat(text) - _EPOCH) // _MILLISECOND


def _write_json(value: object) -> str:
    try:
        return canonical(value).decode()
    except IdentityError as error:
        raise ValueError(error.problem) from error


def _refuse(constant: str) -> JsonValue:
    raise ValueError(f"{constant} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def _parse_json(text: str) -> JsonValue:
    try:
        value: JsonValue = _DECODER.decode(text)
        return _plain(value) if "$" in text else value
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _plain(value: JsonValue) -> JsonValue:
    """Undo what the canonical form does to JSON values: big integers, and user keys that begin with `$`."""
    if isinstance(value, dict):
        if value.keys() == {"$int"}:
            return int(str(value["$int"]))
        return {key[1:] if key.startswith("$$") else key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value


STR = TagType("str", _any_text, str)
DIGEST = TagType("digest", lambda value: _parse_digest(_text(value)), _parse_digest)
INT = TagType("int", _write_int, _parse_int)
BOOL = TagType("bool", _write_bool, _parse_bool)
TIME = TagType("time", _write_time, _parse_time)  # typed value: UTC milliseconds
JSON = TagType("json", _write_json, _parse_json)
