from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.domain.canonical import canonical
from studbook.domain.errors import IdentityError
from studbook.domain.plain import detached, plain

finite = st.floats(allow_nan=False, allow_infinity=False)
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | finite
    | st.text(max_size=8)
    | finite.map(np.float64)
    | st.datetimes(timezones=st.just(UTC))
    | st.timedeltas()
)
jsonable = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.sampled_from(["a", "$int", "$$b", "c"]), inner, max_size=3)
    ),
    max_leaves=10,
)
whole = st.recursive(
    leaves | st.binary(max_size=4) | st.decimals(allow_nan=False, allow_infinity=False, places=30),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.frozensets(st.integers() | st.text(max_size=3), max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(jsonable.filter(lambda value: "$dec" not in str(canonical(value))))
def test_plain_value_has_the_same_canonical_form(value: object) -> None:
    assert canonical(plain(value)) == canonical(value)


@given(jsonable.filter(lambda value: "$dec" not in str(canonical(value))))
def test_plain_value_survives_json_and_stays_as_it_is(value: object) -> None:
    found = plain(value)
    assert plain(found) == found
    assert canonical(json.loads(json.dumps(found))) == canonical(value)


@given(whole)
def test_detached_value_has_the_same_canonical_form(value: object) -> None:
    assert canonical(detached(value)) == canonical(value)


@pytest.mark.parametrize("value", [{1, 2}, b"x", Decimal("0.10000000000000000000000001")], ids=str)
def test_what_json_cannot_hold_is_refused_by_place(value: object) -> None:
    with pytest.raises(IdentityError, match=r"^params\.a\[0\]: a value that JSON cannot hold"):
        plain({"a": [value]}, at="params")


def test_an_integer_of_more_digits_than_python_reads_is_refused() -> None:
    assert plain([10**4299]) == [10**4299]
    with pytest.raises(IdentityError, match=r"^params\.a: an integer of 4301 digits"):
        plain({"a": 10**4300}, at="params")
    assert canonical(detached({"a": 10**4300})) == canonical({"a": 10**4300})


def test_detached_copy_shares_nothing_that_changes() -> None:
    inner: dict[str, Any] = {"classes": ["a"], "moment": datetime(2024, 1, 2, tzinfo=UTC)}
    copy = detached({"split": inner})
    inner["classes"].append("b")
    inner["seed"] = 1
    assert copy == {"split": {"classes": ["a"], "moment": "2024-01-02T00:00:00Z"}}
