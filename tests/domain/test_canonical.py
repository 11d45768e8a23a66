from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from studbook.domain.canonical import canonical, normalise, unordered
from studbook.domain.errors import IdentityError

SHA_OF_ABC = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


@dataclass
class Point:
    x: float
    tag: str


class Model(BaseModel):
    depth: int
    name: str = "net"


class Extra(BaseModel, extra="allow"):
    depth: int


TABLE: list[tuple[object, str]] = [
    (Colour.RED, '"red"'),
    (Level.LOW, "1"),
    (None, "null"),
    (True, "true"),
    (False, "false"),
    (np.bool_(True), "true"),
    (16, "16"),
    (16.0, "16"),
    (-0.0, "0"),
    (2**53 - 1, "9007199254740991"),
    (2**53, '{"$int":"9007199254740992"}'),
    (2.0**53, '{"$int":"9007199254740992"}'),
    (-(2**53), '{"$int":"-9007199254740992"}'),
    (1e300, '{"$int":"' + str(int(1e300)) + '"}'),
    (1e-5, "0.00001"),
    (0.1 + 0.2, "0.30000000000000004"),
    (Decimal("0.10"), "0.1"),
    (Decimal("-1.50E3"), "-1500"),
    (Decimal("0E-9"), "0"),
    (Decimal("1E400"), '{"$int":"1' + "0" * 400 + '"}'),
    (Decimal("1E-400"), '{"$dec":"1E-400"}'),
    (Decimal("-00.1000000000000000000000000001000"), '{"$dec":"-1000000000000000000000000001E-28"}'),
    (Decimal("0.1000000000000000000000000001"), '{"$dec":"1000000000000000000000000001E-28"}'),
    (np.float32(0.1), "0.10000000149011612"),
    (np.int64(7), "7"),
    (np.str_("a"), '"a"'),
    (np.array(3), "3"),
    ("16", '"16"'),
    ("e\u0301 ", '"e\u0301 "'),
    (b"abc", '{"$bytes":"' + SHA_OF_ABC + '"}'),
    (bytearray(b"abc"), '{"$bytes":"' + SHA_OF_ABC + '"}'),
    (PureWindowsPath("a\\b"), '"a/b"'),
    (PurePosixPath("a/b"), '"a/b"'),
    (date(2024, 1, 2), '"2024-01-02"'),
    (datetime(2024, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2))), '"2024-01-02T01:04:05Z"'),
    (datetime(2024, 1, 2, 3, 4, 5, 60, tzinfo=UTC), '"2024-01-02T03:04:05.000060Z"'),
    (timedelta(seconds=90), "90"),
    (timedelta(milliseconds=-1), "-0.001"),
    (UUID("12345678-1234-5678-1234-56781234567F"), '"12345678-1234-5678-1234-56781234567f"'),
    ({1: "O"}, '{"1":"O"}'),
    ({np.int64(1): "O"}, '{"1":"O"}'),
    ({"$ref": 1}, '{"$$ref":1}'),
    ({"$$ref": 1}, '{"$$$ref":1}'),
    (Point(1.0, "a"), '{"tag":"a","x":1}'),
    (Model(depth=3), '{"depth":3,"name":"net"}'),
    (Extra.model_validate({"depth": 3, "width": 4}), '{"depth":3,"width":4}'),
    ([3, 1, 2], "[3,1,2]"),
    ((3, 1, 2), "[3,1,2]"),
    ({3, 1}, '{"$set":[1,3]}'),
    (frozenset({10, 9, "a"}), '{"$set":["a",10,9]}'),
    (unordered(["b", "a", "b", 10, 9]), '["a","b",10,9]'),
    ({"a": None}, '{"a":null}'),
    ({}, "{}"),
]


@pytest.mark.parametrize(("value", "text"), TABLE, ids=[text[:40] for _, text in TABLE])
def test_canonical_text(value: object, text: str) -> None:
    assert canonical(value).decode() == text


REFUSED: list[object] = [
    math.nan,
    math.inf,
    -math.inf,
    Decimal("NaN"),
    Decimal("sNaN"),
    Decimal("Infinity"),
    np.float32("nan"),
    np.datetime64("2024-01-02", "ns"),
    np.timedelta64(3, "ns"),
    np.longdouble(0.1),
    "\ud800",
    {"\ud800": 1},
    PurePosixPath("/home/me"),
    PureWindowsPath("C:\\data"),
    PureWindowsPath("C:data"),
    datetime(2024, 1, 2),  # noqa: DTZ001
    datetime.max.replace(tzinfo=timezone(timedelta(hours=-5))),
    {1.5: "a"},
    {True: "a"},
    {None: "a"},
    {1: "a", "1": "b"},
    1j,
    Fraction(1, 3),
    len,
    Point,
    np.array([1, 2]),
    object(),
    (i for i in range(3)),
]


@pytest.mark.parametrize(
    "value", REFUSED, ids=[f"{type(each).__name__}-{i}" for i, each in enumerate(REFUSED)]
)
def test_value_without_canonical_form_is_refused_with_place_and_cure(value: object) -> None:
    with pytest.raises(IdentityError) as refusal:
        canonical({"search_space": {"lr": {"low": [0, value]}}}, at="study")
    assert refusal.value.problem.startswith("study.search_space.lr.low[1]")
    assert refusal.value.cure


def test_refusal_names_the_type() -> None:
    with pytest.raises(IdentityError, match=r"^a\.b: complex has no canonical form"):
        canonical({"a": {"b": 1j}})
    with pytest.raises(IdentityError, match=r"ndarray.*digest"):
        canonical(np.zeros(3))


def test_unordered_values_of_several_types_are_told_apart() -> None:
    assert normalise(unordered([True, 1, "1", 1.0])) == ["1", 1, True]


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


def test_nesting_up_to_32_is_accepted_and_beyond_is_refused() -> None:
    assert canonical(nested(32)) == b"[" * 32 + b"1" + b"]" * 32
    with pytest.raises(IdentityError, match="digest"):
        canonical(nested(33))


def test_a_value_that_holds_itself_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(IdentityError, match="nested deeper than 32"):
        canonical(loop)


def test_one_mebibyte_is_accepted_and_a_byte_more_is_refused() -> None:
    assert len(canonical("a" * (1024 * 1024 - 2))) == 1024 * 1024
    with pytest.raises(IdentityError, match="digest"):
        canonical("a" * (1024 * 1024 - 1))


@pytest.mark.parametrize("value", [Decimal("1E+9999999"), 1 << (1 << 23)], ids=["decimal", "int"])
def test_enormous_number_is_refused_without_writing_it_out(value: object) -> None:
    with pytest.raises(IdentityError, match="pass a digest"):
        canonical(value)


def test_shared_parts_do_not_blow_up() -> None:
    value: object = 1
    for _ in range(31):
        value = [value, value]
    with pytest.raises(IdentityError, match="pass a digest"):
        canonical(value, max_bytes=10_000)


@pytest.mark.parametrize("digits", [999, 4_301, 1_000_000])
def test_long_numbers_are_written_in_time_that_follows_their_length(digits: int) -> None:
    """In the square of their length, the longest would take minutes."""
    text = '{"$int":"-1' + "0" * (digits - 2) + '1"}'
    assert canonical(Decimal("-1" + "0" * (digits - 2) + "1")).decode() == text
    assert canonical(-(10 ** (digits - 1)) - 1).decode() == text


@given(st.integers(-(2**20_000), 2**20_000))
def test_long_integers_have_the_digits_that_python_writes(number: int) -> None:
    digits = f"{Decimal(number):f}"
    text = canonical(number).decode()
    assert text == (digits if abs(number) < 2**53 else f'{{"$int":"{digits}"}}')


def test_int_of_more_digits_than_python_prints() -> None:
    assert canonical(10**5000) == b'{"$int":"1' + b"0" * 5000 + b'"}'


finite = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | st.integers() | finite | st.text(max_size=8)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def shuffled(value: Any, random_order: random.Random) -> Any:
    """An equal value whose mappings are in another order."""
    if isinstance(value, dict):
        items = list(value.items())
        random_order.shuffle(items)
        return {key: shuffled(item, random_order) for key, item in items}
    if isinstance(value, list):
        return [shuffled(item, random_order) for item in value]
    return value


@given(values, st.randoms(use_true_random=False))
def test_order_of_keys_does_not_count(value: object, random_order: random.Random) -> None:
    assert canonical(shuffled(value, random_order)) == canonical(value)


def in_numpy(value: Any) -> Any:
    """An equal value out of numpy scalars and tuples."""
    if isinstance(value, bool):
        return np.bool_(value)
    if isinstance(value, int) and abs(value) < 2**63:
        return np.int64(value)
    if isinstance(value, float):
        return np.float64(value)
    if isinstance(value, str):
        return np.array(value, dtype=object)[()]
    if isinstance(value, dict):
        return {key: in_numpy(item) for key, item in value.items()}
    return tuple(in_numpy(item) for item in value) if isinstance(value, list) else value


@given(values)
def test_numpy_and_tuples_are_as_good_as_python(value: object) -> None:
    assert canonical(in_numpy(value)) == canonical(value)


@given(st.integers(-(2**53), 2**53))
def test_integral_float_decimal_and_int_agree(number: int) -> None:
    assert canonical(float(number)) == canonical(number) == canonical(Decimal(number))


@given(finite)
def test_float_survives(number: float) -> None:
    text = canonical(number)
    if abs(number) < 2**53:
        assert json.loads(text) == number
        assert canonical(Decimal(repr(number))) == text


@given(finite, finite)
def test_different_numbers_differ(one: float, other: float) -> None:
    assert (canonical(one) == canonical(other)) == (one == other)


@given(st.decimals(allow_nan=False, allow_infinity=False), st.decimals(allow_nan=False, allow_infinity=False))
def test_different_decimals_differ(one: Decimal, other: Decimal) -> None:
    assert (canonical(one) == canonical(other)) == (one == other)


def strictly_equal(one: Any, other: Any) -> bool:
    """Equal, where booleans are no numbers."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(strictly_equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(strictly_equal, one, other))
    return type(one) is not dict and type(other) is not dict and bool(one == other)


@given(values, values)
def test_equal_bytes_mean_equal_values(one: object, other: object) -> None:
    assert (canonical(one) == canonical(other)) == strictly_equal(one, other)


@given(st.lists(scalars, max_size=8), st.randoms(use_true_random=False))
def test_order_and_repeats_of_unordered_do_not_count(
    items: list[object], random_order: random.Random
) -> None:
    mixed = items + items[: len(items) // 2]
    random_order.shuffle(mixed)
    assert canonical(unordered(mixed)) == canonical(unordered(items))


@given(st.sets(st.integers() | st.text(max_size=4), max_size=6))
def test_set_differs_from_its_list(items: set[object]) -> None:
    assert canonical(items) == canonical(frozenset(items)) != canonical(sorted(items, key=repr))


@given(
    st.dictionaries(st.sampled_from(["$int", "$set", "$bytes", "$dec", "$$int", "a"]), scalars, min_size=1)
)
def test_user_keys_never_pass_for_ours(mapping: dict[str, object]) -> None:
    found = normalise(mapping)
    assert isinstance(found, dict)
    assert len(found) == len(mapping)
    assert all(not key.startswith("$") or key.startswith("$$") for key in found)


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1)))  # noqa: DTZ001
def test_time_zone_of_a_moment_does_not_count(moment: datetime) -> None:
    elsewhere = moment.astimezone(timezone(timedelta(hours=-7, minutes=-30)))
    assert canonical(elsewhere) == canonical(moment)
    assert datetime.fromisoformat(json.loads(canonical(moment))) == moment


@given(st.timedeltas(max_value=timedelta.max - timedelta(days=1)))
def test_durations_are_exact(duration: timedelta) -> None:
    assert canonical(duration) != canonical(duration + timedelta(microseconds=1))
    assert canonical(duration) == canonical(Decimal(duration // timedelta(microseconds=1)).scaleb(-6))


@given(values, st.sampled_from([math.nan, 1j, b"".join, Fraction(1, 2)]))
def test_refused_value_is_found_wherever_it_is(value: object, bad: object | Callable[..., object]) -> None:
    with pytest.raises(IdentityError) as refusal:
        canonical({"before": value, "here": [value, {"x": bad}]}, at="root")
    assert refusal.value.details["path"] == "root.here[1].x"
