"""What a user gives to be recorded, checked at the call: metric names and values, params, tags."""

from __future__ import annotations

import math
import posixpath
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from pathlib import PurePath

import rfc8785
from pydantic import JsonValue

from .canonical import canonical, unwrapped
from .errors import (
    IdentityError,
    MetricNameInvalid,
    MetricValueInvalid,
    ParamInvalid,
    ReservedTag,
    TagInvalid,
    UndeclaredTag,
)
from .plain import plain
from .stage import Stage
from .vocabulary import DEFAULT_VOCABULARY, Vocabulary

_NAME = re.compile(r"[A-Za-z0-9_.\-/ ]{1,250}")
_TAG_KEY = re.compile(r"[A-Za-z0-9_.\-/ ]{1,100}")
_DERIVED = re.compile(r"intermediate_.*|.*_(std|se|fold_[0-9]+)|folds_scored|pruned_at_step")
_FIXED_BELOW = 10**21  # from here on shortest digits are written with an exponent
_MAX_BITS = 10_000  # Python refuses to print an int of more than 4300 digits


def metric_values(metrics: Mapping[str, object], stage: Stage | None = None) -> dict[str, float]:
    """The metrics with checked names and values as floats. Raises MetricNameInvalid, MetricValueInvalid."""
    values = {}
    for name, value in metrics.items():
        check_metric_name(name, stage)
        values[name] = value if type(value) is float else metric_value(value, name)
    return values


@lru_cache(maxsize=4096)
def check_metric_name(name: object, stage: Stage | None = None) -> None:
    """Raises MetricNameInvalid for a name that some backend refuses, or that this stage's runs derive."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or _leaves_folder(name):
        raise MetricNameInvalid(
            f"{name!r:.100} is no metric name",
            cure="use 1 to 250 letters, digits, spaces, `_`, `.`, `-` and `/`, as in a relative path",
            name=name,
        )
    if stage is Stage.TRIAL and _DERIVED.fullmatch(name):
        raise MetricNameInvalid(
            f"metric {name!r} on a trial is computed by studbook",
            cure="log it under another name, or on the fold's run",
            name=name,
        )


def metric_value(value: object, name: str = "?") -> float:
    """A Python or numpy number as a float; NaN and infinity pass. Raises MetricValueInvalid."""
    try:
        number = unwrapped(value)
        if isinstance(number, int | float | Decimal) and not isinstance(number, bool):
            return float(number)
    except (IdentityError, OverflowError, ValueError) as error:
        raise _no_number(name, value) from error
    raise _no_number(name, value)


def _no_number(name: str, value: object) -> MetricValueInvalid:
    return MetricValueInvalid(
        f"metric {name!r} is a {type(value).__name__}, not a number that a float can hold",
        cure="pass an int, a float or a numpy scalar; for text use params or tags",
        name=name,
    )


def typed_params(params: Mapping[str, object]) -> dict[str, JsonValue]:
    """The params with checked names and typed values. Raises ParamInvalid."""
    for name in params:
        check_param_name(name)
    return {name: typed_param(value, name) for name, value in params.items()}


def check_param_name(name: object) -> None:
    """Raises ParamInvalid for a name that some backend refuses."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or _leaves_folder(name):
        raise ParamInvalid(
            f"{name!r:.100} is no param name",
            cure="use 1 to 250 letters, digits, spaces, `_`, `.`, `-` and `/`, as in a relative path",
            name=name,
        )


def typed_param(value: object, name: str = "?") -> JsonValue:
    """The value as JSON: text, number, bool, null, or lists and mappings of these.

    Enum members become their values, numpy scalars Python's, tuples lists, paths and aware times text. Raises
    ParamInvalid for NaN, infinity and what JSON cannot hold.
    """
    try:
        plain_value = unwrapped(value)
        if isinstance(plain_value, float) and math.isfinite(plain_value):
            return float(plain_value)
        if isinstance(plain_value, PurePath):
            plain_value = str(plain_value)
        typed = plain(plain_value, at=name)
    except IdentityError as error:
        raise ParamInvalid(f"param {error.problem}", cure=error.cure, name=name) from error
    if isinstance(typed, int) and typed.bit_length() > _MAX_BITS:
        raise ParamInvalid(f"param {name}: an int of too many digits", cure="pass it as text", name=name)
    return typed


def param_text(value: JsonValue) -> str:
    """A typed param as a store holds it: text as it is, numbers by shortest digits, the rest canonical JSON.

    Equal numbers give equal text: 16 and 16.0 are both `16`. Raises ParamInvalid for NaN and infinity.
    """
    if isinstance(value, str):
        return value
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _number_text(value)
        return canonical(value).decode()
    except (rfc8785.CanonicalizationError, IdentityError) as error:
        raise ParamInvalid(
            f"param value {value!r:.100} has no JSON form", cure="pass a finite number or text"
        ) from error


def _number_text(value: float) -> str:
    if abs(value) < _FIXED_BELOW and value == int(value):
        return str(int(value))
    try:
        nearest = float(value)
    except OverflowError:
        return str(value)
    return rfc8785.dumps(nearest).decode() if nearest == value or nearest != nearest else str(value)


def check_user_tags(
    tags: Mapping[str, object],
    vocabulary: Vocabulary = DEFAULT_VOCABULARY,
    *,
    declared: Mapping[str, frozenset[Stage]] | None = None,
    stage: Stage | None = None,
) -> dict[str, str]:
    """The user's own tags, as they were given.

    `declared`, when given, are the only keys that users may set, with the stages that may carry them. Raises
    ReservedTag, TagInvalid, UndeclaredTag.
    """
    checked = {}
    for key, value in tags.items():
        _check_user_key(key, vocabulary)
        if declared is not None and (
            key not in declared or (stage is not None and stage not in declared[key])
        ):
            raise UndeclaredTag(
                f"tag {key!r} is not declared" + (f" on {stage}" if key in declared else ""),
                cure="declare it in tags.yaml under `custom`, or set `user_tags: open`",
                name=key,
            )
        if not isinstance(value, str) or not _encodable(value):
            raise TagInvalid(
                f"tag {key!r} is a {type(value).__name__}, not text that UTF-8 can hold",
                cure="tags are text: pass str(value)",
                name=key,
            )
        checked[key] = value
    return checked


def _check_user_key(key: object, vocabulary: Vocabulary) -> None:
    if isinstance(key, str) and vocabulary.is_reserved(key):
        raise ReservedTag(
            f"tag {key!r:.120} belongs to studbook or to the backend",
            cure="use a key of your own, without such a prefix",
            name=key,
        )
    if not isinstance(key, str) or not _TAG_KEY.fullmatch(key) or _leaves_folder(key):
        raise TagInvalid(
            f"{key!r:.120} is no tag key",
            cure="use 1 to 100 letters, digits, spaces, `_`, `.`, `-` and `/`, as in a relative path",
            name=key,
        )


def _leaves_folder(name: str) -> bool:
    """Whether the name is no plain relative path: MLflow keeps metrics as files of that path."""
    return ".." in name or name.startswith("/") or posixpath.normpath(name) != name or name == "."


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
