"""Field types of declared values: numbers that may come as text, flags, free mappings."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, JsonValue
from pydantic_core import PydanticCustomError

from .canonical import unwrapped
from .checked import invalid
from .errors import IdentityError
from .plain import detached, plain

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def number(value: object) -> float:
    """A finite int or float; numeric text too, since YAML 1.1 reads `1e-5` as text."""
    found = _json(value)
    if isinstance(found, str):
        found = _parsed(found)
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        raise invalid(f"{str(value)[:80]!r} is not a number", "pass a number")
    if found in (math.inf, -math.inf):
        raise invalid(f"{str(value)[:80]!r} is no finite number", "pass a finite number")
    return found


def integer(value: object) -> int:
    """An int; also an integral float, or text that is one."""
    found = number(value)
    if found != int(found):
        raise invalid(f"{found} is not integral", "pass a whole number")
    return int(found)


def _parsed(text: str) -> float | str:
    stripped = text.strip()
    if _INTEGER.fullmatch(stripped):
        return int(stripped)
    return float(stripped) if _NUMBER.fullmatch(stripped) else text


def _json(value: object) -> JsonValue:
    try:
        return plain(value)
    except IdentityError as error:
        raise _identity(error) from error


def _free(value: object) -> Any:
    try:
        return detached(value)
    except IdentityError as error:
        raise _identity(error) from error


def _identity(error: IdentityError) -> PydanticCustomError:
    problem = error.problem.partition(": ")[2]
    inner = error.details["steps"]
    return PydanticCustomError(
        "identity", "{problem}", {"problem": problem, "cure": error.cure, "path": inner}
    )


def _optional(value: object) -> object:
    return value if value is None else number(value)


def _optional_integer(value: object) -> object:
    return value if value is None else integer(value)


def _family(text: str) -> str:
    normal = unicodedata.normalize("NFC", text).strip().lower()
    if not 1 <= len(normal) <= 128:
        raise invalid(
            f"a model family has 1 to 128 characters, not {len(normal)}",
            "name it in `model_family`; it is never cut",
        )
    return normal


def is_digest(text: str) -> bool:
    """Whether the text is a content digest: `sha256:` and 64 lower-case hexadecimal digits."""
    return _DIGEST.fullmatch(text) is not None


def _digest(text: str) -> str:
    if not is_digest(text):
        raise invalid(
            f"{text[:80]!r} is no content digest", "pass `sha256:` and 64 lower-case hexadecimal digits"
        )
    return text


def _optional_digest(text: str | None) -> str | None:
    return text if text is None else _digest(text)


def _optional_free(value: object) -> Any:
    return value if value is None else _free(value)


Number = Annotated[float, BeforeValidator(number)]
Integer = Annotated[int, BeforeValidator(integer)]
OptionalNumber = Annotated[float | None, BeforeValidator(_optional)]
OptionalInteger = Annotated[int | None, BeforeValidator(_optional_integer)]
Flag = Annotated[bool, BeforeValidator(unwrapped)]
OptionalFlag = Annotated[bool | None, BeforeValidator(unwrapped)]
Free = Annotated[dict[str, Any], BeforeValidator(_free)]
OptionalFree = Annotated[dict[str, Any] | None, BeforeValidator(_optional_free)]
Plain = Annotated[JsonValue, BeforeValidator(_json)]
PlainMapping = Annotated[dict[str, JsonValue], BeforeValidator(_json)]
Digest = Annotated[str, AfterValidator(_digest)]
OptionalDigest = Annotated[str | None, AfterValidator(_optional_digest)]
ModelFamily = Annotated[str, AfterValidator(_family)]
