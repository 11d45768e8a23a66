"""Hypothesis strategies for every event: new kinds and fields are covered by their annotations."""

from __future__ import annotations

import enum
import types
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge
from hypothesis import strategies as st
from pydantic import BaseModel, JsonValue

from ...domain.events import Event
from ...domain.keys import Key, RunKey
from ...domain.run import Ending, EndReason
from ..event_log import Happening

EVENT_TYPES: tuple[type[BaseModel], ...] = get_args(get_args(Event)[0])

_text = st.text(max_size=12)
_whole = st.integers(min_value=-(2**200), max_value=2**200)
_real = st.floats()
# JSON has no NaN: a setting or param that is none is text. Metrics, which are typed, have it.
_json: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | _whole | st.floats(allow_nan=False, allow_infinity=False) | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=6,
)
_hex = st.text("0123456789abcdef", min_size=64, max_size=64)


def endings() -> st.SearchStrategy[Ending]:
    """Every way to end."""
    failed = [reason for reason in EndReason if _can_fail_for(reason)]
    killed = [reason for reason in EndReason if reason not in failed]
    error = st.none() | _text
    return (
        st.just(Ending.finished())
        | st.builds(Ending.failed, st.sampled_from(failed), error)
        | st.builds(Ending.killed, st.sampled_from(killed), error)
    )


def _can_fail_for(reason: EndReason) -> bool:
    try:
        Ending.failed(reason)
    except ValueError:
        return False
    return True


def events_of(kind: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Any event of one type."""
    fields = {name: _values(field.annotation, field.metadata) for name, field in kind.model_fields.items()}
    return st.builds(kind, **fields)


def run_keys() -> st.SearchStrategy[RunKey]:
    """Any run key."""
    return _keys(RunKey)


def happenings() -> st.SearchStrategy[Happening]:
    """Any event of any type, of any run or none, at any time."""
    return st.builds(
        Happening,
        event=st.sampled_from(EVENT_TYPES).flatmap(events_of),
        run_key=st.none() | run_keys(),
        occurred_at_ns=st.integers(min_value=0, max_value=2**62),
    )


def _keys(kind: type[Any]) -> st.SearchStrategy[Any]:
    return _hex.map(lambda digits: kind(f"{kind.KIND}:{digits}"))


def _values(wanted: Any, metadata: list[Any]) -> st.SearchStrategy[Any]:
    if wanted is JsonValue:
        return _json
    if isinstance(wanted, type) and get_origin(wanted) is None:
        return _plain(wanted, metadata)
    return _composed(get_origin(wanted), get_args(wanted))


def _plain(wanted: type, metadata: list[Any]) -> st.SearchStrategy[Any]:
    if wanted is int:
        least = next((int(str(rule.ge)) for rule in metadata if isinstance(rule, Ge)), None)
        return _whole if least is None else st.integers(min_value=least, max_value=2**200)
    if wanted is Ending:
        return endings()
    if issubclass(wanted, Key):
        return _keys(wanted)
    if issubclass(wanted, enum.Enum):
        return st.sampled_from(wanted)
    if issubclass(wanted, BaseModel):
        return events_of(wanted)
    return {str: _text, bool: st.booleans(), float: _real, types.NoneType: st.none()}[wanted]


def _composed(shape: Any, parts: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if shape is Literal:
        return st.sampled_from(parts)
    if shape is dict:
        return st.dictionaries(_values(parts[0], []), _values(parts[1], []), max_size=3)
    if shape is tuple and parts[-1] is Ellipsis:
        return st.lists(_values(parts[0], []), max_size=3).map(tuple)
    if shape is tuple:
        return st.tuples(*(_values(part, []) for part in parts))
    if shape in (Union, types.UnionType):
        return st.one_of([_values(part, []) for part in parts])
    raise NotImplementedError(f"no strategy for {shape}{parts}")
