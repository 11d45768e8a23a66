"""Values that users declare: refusals belong to our error tree, name the place and say what to do next."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

from pydantic import ModelWrapValidatorHandler, ValidationError, ValidationInfo, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from .canonical import Path, place
from .errors import IdentityError, InvalidInput, StudbookError
from .value import Value

_INSIDE = object()


class Checked(Value):
    """A declared value. Building one raises `ERROR`, or IdentityError for what has no canonical form."""

    ERROR: ClassVar[type[StudbookError]] = InvalidInput

    @model_validator(mode="wrap")
    @classmethod
    def _checked(cls, data: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        try:
            if isinstance(data, Mapping):
                _refuse_unknown(data, cls)
            return handler(data)
        except (ValidationError, PydanticCustomError) as error:
            if info.context is _INSIDE or not isinstance(data, Mapping):
                raise
            raise _translated(error, cls.ERROR, (cls.__name__,), data) from error

    @classmethod
    def parse(cls, given: object, *, at: str = "") -> Self:
        """The value of a mapping (or of an instance). `at` names it in errors, which carry the full place."""
        try:
            return cls.model_validate(given, context=_INSIDE)
        except ValidationError as error:
            raise _translated(error, cls.ERROR, (at or cls.__name__,), given) from error


def invalid(problem: str, cure: str) -> PydanticCustomError:
    """What a validator raises: becomes the value's error, with its place."""
    return PydanticCustomError("invalid", "{problem}", {"problem": problem, "cure": cure})


def nearest(name: object, valid: Iterable[str]) -> str:
    """A cure for a name that is none of `valid`: the nearest one, and all of them."""
    names = sorted(valid)
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    return (f"did you mean {close[0]!r}? " if close else "") + f"valid: {', '.join(names)}"


def _refuse_unknown(data: Mapping[Any, Any], model: type[Value]) -> None:
    aliases = {field.alias or name for name, field in model.model_fields.items()}
    known = aliases | set(model.model_fields)
    for name in data:
        if name not in known:
            raise invalid(f"unknown field {str(name)[:80]!r}", nearest(name, aliases))


def _translated(
    error: ValidationError | PydanticCustomError, kind: type[StudbookError], root: Path, data: object
) -> StudbookError:
    if isinstance(error, PydanticCustomError):
        context = error.context or {}
        where, problem, cure, code = place(root), error.message(), context.get("cure", ""), error.type
    else:
        first: ErrorDetails = error.errors(include_url=False, include_input=False)[0]
        context = first.get("ctx", {})
        where = place((*root, *_without_tags(first["loc"], data), *context.get("path", ())))
        problem, code = first["msg"], first["type"]
        cure = context.get("cure") or _cure(code, context)
    return (IdentityError if code == "identity" else kind)(f"{where}: {problem}", cure=cure, path=where)


def _without_tags(loc: Path, data: object) -> Path:
    """A place without the tags of unions and the names of validators, which pydantic counts as steps."""
    kept: list[str | int] = []
    for step in loc:
        if isinstance(data, Mapping):
            if step not in data and (step in (data.get("kind"), data.get("type")) or _is_validator(step)):
                continue
            data = data.get(step)
        elif isinstance(data, (list, tuple)) and isinstance(step, int) and step < len(data):
            data = data[step]
        kept.append(step)
    return tuple(kept)


def _is_validator(step: str | int) -> bool:
    """Whether pydantic means a branch of a union by it, such as `function-wrap[_checked()]`."""
    return isinstance(step, str) and step.endswith("]") and "[" in step


def _cure(code: str, context: Mapping[str, Any]) -> str:
    if code == "union_tag_invalid":
        return nearest(context["tag"], re.findall(r"'([^']*)'", context["expected_tags"]))
    return _CURES.get(code, "correct this value").format(**context)


_CURES = {
    "missing": "give it a value",
    "string_type": "pass text; in YAML, quote it",
    "bool_type": "pass true or false",
    "bool_parsing": "pass true or false",
    "dict_type": "pass a mapping",
    "tuple_type": "pass a list",
    "too_short": "give at least {min_length}",
    "string_too_short": "give at least {min_length} character",
    "enum": "pass {expected}",
    "literal_error": "pass {expected}",
    "union_tag_not_found": "say which one in the field {discriminator}",
    "greater_than": "pass a number above {gt}",
    "greater_than_equal": "pass at least {ge}",
    "less_than": "pass a number below {lt}",
}
