"""A named Optuna class and the options that a study may give it: only what a study key can hold."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import JsonValue

from ...domain.checked import nearest
from ...domain.errors import StudyInvalid

Kind = Literal["sampler", "pruner"]


@dataclass(frozen=True, slots=True)
class Algorithm:
    """`options` says which types an option takes; `preset` is passed always; `packages` must be installed."""

    class_name: str
    options: Mapping[str, tuple[type, ...]] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    preset: Mapping[str, object] = field(default_factory=dict)
    several_objectives: bool = True
    packages: tuple[str, ...] = ()


def algorithm_named(name: str, known: Mapping[str, Algorithm], kind: Kind) -> Algorithm:
    """Raises StudyInvalid for an unknown name or a missing package."""
    try:
        algorithm = known[name]
    except KeyError:
        raise StudyInvalid(f"there is no {kind} {name!r}", cure=nearest(name, known)) from None
    missing = [package for package in algorithm.packages if importlib.util.find_spec(package) is None]
    if missing:
        raise StudyInvalid(
            f"the {kind} {name!r} needs {' and '.join(missing)}, which is not installed",
            cure=f"pip install {' '.join(missing)}, or choose another {kind}",
        )
    return algorithm


def typed_options(
    name: str, algorithm: Algorithm, options: Mapping[str, JsonValue], kind: Kind
) -> dict[str, Any]:
    """The options by Optuna's names and types; null means not given. Raises StudyInvalid."""
    typed: dict[str, Any] = {}
    for option, value in options.items():
        if option not in algorithm.options:
            cure = nearest(option, algorithm.options) if algorithm.options else "it has none: remove it"
            raise StudyInvalid(f"the {kind} {name!r} has no option {option!r}", cure=cure)
        if value is not None:
            typed[option] = _typed(
                f"option {option!r} of the {kind} {name!r}", value, algorithm.options[option]
            )
    missing = sorted(algorithm.required - typed.keys())
    if missing:
        raise StudyInvalid(
            f"the {kind} {name!r} needs the option {missing[0]!r}", cure=f"add {missing[0]} to its options"
        )
    return typed


def build(
    name: str, algorithm: Algorithm, options: Mapping[str, object], namespace: object, kind: Kind
) -> Any:
    """Construct it, without the notice that it is experimental. Raises StudyInvalid for a refused value."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        try:
            return getattr(namespace, algorithm.class_name)(**algorithm.preset, **options)
        except (ValueError, TypeError) as error:
            raise StudyInvalid(
                f"Optuna refuses the options of the {kind} {name!r}: {error}", cure="correct the value"
            ) from error


def _typed(what: str, value: JsonValue, types: tuple[type, ...]) -> object:
    if isinstance(value, float) and value.is_integer() and int in types:
        return int(value)
    if type(value) in types:
        return value
    if type(value) is int and float in types:
        return float(value)
    names = " or ".join(kind.__name__ for kind in types)
    raise StudyInvalid(f"{what} is {value!r}", cure=f"pass {names}")
