"""A validation error of the settings, said with the nearest valid key or value."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from ..errors import PolicyInvalid
from .policy import STEPS

_QUOTED = re.compile(r"'([^']*)'")


def policy_invalid(error: ValidationError, root: type[BaseModel]) -> PolicyInvalid:
    """The first problem of a validation error as PolicyInvalid; `details` carry its key."""
    # A misspelt key explains the missing one beside it.
    first = min(error.errors(include_url=False), key=lambda problem: problem["type"] != "extra_forbidden")
    key = ".".join(str(part) for part in first["loc"] if part not in STEPS)
    place = f"selection.{key}" if key else "selection"
    kind = first["type"]
    if kind == "extra_forbidden":
        allowed = _keys(_owner(root, first["loc"][:-1]))
        return _with_choice(f"unknown key {place}", str(first["loc"][-1]), allowed, place)
    expected = _QUOTED.findall(str((first.get("ctx") or {}).get("expected") or ""))
    if kind == "union_tag_invalid":
        expected = list(STEPS)
        given = (first.get("ctx") or {}).get("tag", "")
        return _with_choice(f"{place}: {given!r} is no policy step", str(given), expected, place)
    if expected:
        given = first["input"]
        return _with_choice(f"{place}: {given!r} is not allowed", str(given), expected, place)
    message, _, hint = first["msg"].removeprefix("Value error, ").partition("; ")
    cure = hint or f"change {place}; `studbook config schema` tells what it may be"
    return PolicyInvalid(f"{place}: {message}", cure=cure, key=place)


def _with_choice(problem: str, given: str, allowed: list[str], place: str) -> PolicyInvalid:
    nearest = get_close_matches(given, allowed, n=1, cutoff=0.5)
    nearest = nearest or [choice for choice in allowed if choice.startswith(given[:2])][:1]
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    return PolicyInvalid(problem, cure=f"{hint}allowed: {', '.join(allowed)}", key=place, allowed=allowed)


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _owner(root: type[BaseModel], path: tuple[int | str, ...]) -> type[BaseModel]:
    """The model whose keys the end of a path names; aliases, indices and policy names stay inside one."""
    model: type[BaseModel] = root
    for part in path:
        if part in STEPS and isinstance(part, str):
            model = STEPS[part]
            continue
        field = next((f for name, f in model.model_fields.items() if part in (name, f.alias)), None)
        model = (_model_in(field.annotation) if field else None) or model
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The one model inside an annotation, or None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    models = {model for argument in get_args(annotation) if (model := _model_in(argument)) is not None}
    return models.pop() if len(models) == 1 else None
