"""Laws of every key: what is declared the same has one key, and any change of it another."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from studbook.domain.canonical import canonical
from studbook.domain.errors import IdentityError
from studbook.domain.keys import Key
from studbook.domain.study import StudyDefinition

from .declarations import DECLARATIONS, PAYLOADS, Declaration, X

_each_kind = pytest.mark.parametrize("declaration", DECLARATIONS.values(), ids=DECLARATIONS)


def _drawn(data: st.DataObject, declaration: Declaration) -> dict[str, Any]:
    return {name: data.draw(values, label=name) for name, values in declaration.fields.items()}


def _otherwise(value: Any, order: random.Random) -> Any:
    """The same value, said otherwise: mappings in another order, numpy's numbers, floats that are integral."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        ways: list[Callable[[int], Any]] = [int]
        if abs(value) < 2**63:
            ways.append(np.int64)
        if abs(value) < 2**53:
            ways += [float, np.float64]
        return order.choice(ways)(value)
    if isinstance(value, float):
        return order.choice([float, np.float64])(value)
    if isinstance(value, Mapping):
        items = [(key, _otherwise(item, order)) for key, item in value.items()]
        order.shuffle(items)
        return dict(items)
    return [_otherwise(item, order) for item in value]


@_each_kind
@given(data=st.data(), order=st.randoms(use_true_random=False))
def test_the_same_declaration_said_otherwise_has_the_same_key(
    declaration: Declaration, data: st.DataObject, order: random.Random
) -> None:
    given_fields = _drawn(data, declaration)
    assert declaration.make(_otherwise(given_fields, order)) == declaration.make(given_fields)


@_each_kind
@given(data=st.data())
def test_a_change_of_any_declared_field_changes_the_key(
    declaration: Declaration, data: st.DataObject
) -> None:
    given_fields = _drawn(data, declaration)
    name = data.draw(st.sampled_from(sorted(declaration.fields)), label="changed")
    changed = {**given_fields, name: data.draw(declaration.fields[name], label="to")}
    assume(_meaning(name, changed[name]) != _meaning(name, given_fields[name]))
    assert declaration.make(changed) != declaration.make(given_fields)


def _meaning(name: str, value: Any) -> bytes:
    """What a field says, without what the specification counts as the same."""
    if name == "search_space" and isinstance(value, Mapping):
        value = {parameter: _distribution(given_as) for parameter, given_as in value.items()}
    return canonical(value)


def _distribution(given_as: dict[str, Any]) -> dict[str, Any]:
    if given_as["type"] == "categorical":
        return {"choices": sorted({canonical(choice).decode() for choice in given_as["choices"]})}
    if given_as["type"] == "int":
        low, step = given_as["low"], given_as["step"]
        return {**given_as, "high": low + (given_as["high"] - low) // step * step}
    return given_as


def test_every_kind_of_key_is_under_these_laws() -> None:
    kinds = {name.partition(" ")[0] for name in DECLARATIONS}
    assert kinds == {kind.KIND for kind in Key.__subclasses__()}


@pytest.mark.parametrize("kind", PAYLOADS)
def test_every_field_of_the_specifications_payloads_is_under_these_laws(kind: str) -> None:
    varied = {
        "eval" if field == "evaluation" else field
        for name, declared in DECLARATIONS.items()
        if name.partition(" ")[0] == kind
        for field in declared.fields
    }
    named_by_the_case = {"mode"} if kind == "df3" else set()
    assert PAYLOADS[kind] == varied | named_by_the_case


@pytest.mark.parametrize(
    ("bad", "place"),
    [
        ({"search_space": {"lr": {"type": "float", "low": 0, "high": float("nan")}}}, "search_space.lr.high"),
        ({"search_space": {"k": {"type": "categorical", "choices": ["a", 1j]}}}, "search_space.k.choices[1]"),
        ({"sampling": {"options": {"weights": len}}}, "sampling.options.weights"),
        ({"data": {"split": {"at": [0, float("inf")]}}}, "data.split.at[1]"),
        ({"budget": {"unit": "epochs", "amount": float("nan")}}, "budget.amount"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_refused_value_is_named_with_its_place(bad: dict[str, Any], place: str) -> None:
    with pytest.raises(IdentityError) as caught:
        StudyDefinition.parse(
            {"name": "n", "objectives": [["f1", "maximize"]], "search_space": {"x": X}, **bad}
        )
    assert caught.value.problem.startswith(f"study.{place}: ")
    assert caught.value.cure
