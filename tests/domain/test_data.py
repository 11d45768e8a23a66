from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.domain.canonical import canonical, content_digest_text
from studbook.domain.data import DataSpec, EvalSpec, content_digest_of
from studbook.domain.errors import IdentityError, StudyInvalid

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64


def test_name_and_version_do_not_count_where_the_bytes_are_known() -> None:
    named = DataSpec.content(DIGEST, name="digits", version="2")
    assert named.key == DataSpec.content(DIGEST).key
    assert named.name == "digits"
    assert named.mode == "content"


def test_every_declared_field_counts() -> None:
    base: dict[str, Any] = {"name": "digits", "version": "1"}
    changes: list[dict[str, Any]] = [
        {},
        {"name": "letters"},
        {"version": "2"},
        {"schema": {}},
        {"schema": {"a": None}},
        {"label_map": {0: "zero"}},
        {"split": {"seed": 1}},
        {"split": {"seed": "1"}},
    ]
    keys = [DataSpec.declared(**{**base, **change}).key for change in changes]
    keys += [DataSpec.content(DIGEST).key, DataSpec.content(OTHER).key, DataSpec.undeclared().key]
    keys += [DataSpec.undeclared(split={}).key]
    assert len(set(keys)) == len(keys)


def test_label_map_by_number_by_numpy_and_by_text_is_the_same() -> None:
    keys = {DataSpec.declared("digits", "1", label_map={key: "zero"}).key for key in (0, np.int64(0), "0")}
    assert len(keys) == 1


def test_name_of_undeclared_data_is_a_label() -> None:
    spec = DataSpec.undeclared(name="scratch")
    assert (spec.mode, spec.name, spec.key) == ("undeclared", "scratch", DataSpec.undeclared().key)


@pytest.mark.parametrize(
    ("given", "mode"),
    [
        ({"digest": DIGEST}, "content"),
        ({"name": "digits", "version": "1"}, "declared"),
        ({}, "undeclared"),
        ({"mode": "undeclared", "name": "x"}, "undeclared"),
    ],
)
def test_mode_follows_from_what_is_given(given: dict[str, str], mode: str) -> None:
    assert DataSpec.parse(given).mode == mode


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"name": "digits"}, r"^study\.data: declared data needs a name and a version"),
        ({"version": "1"}, "needs a name and a version"),
        ({"name": "digits", "version": 1}, r"study\.data\.version.*in YAML, quote it"),
        ({"name": "", "version": "1"}, r"study\.data\.name"),
        ({"digest": "a" * 64}, "no content digest"),
        ({"mode": "declared", "digest": DIGEST, "name": "a", "version": "1"}, "contradict"),
        ({"mode": "content"}, "contradict"),
        ({"digest": DIGEST, "schema": {}}, "no schema"),
        ({"vershun": "1"}, "did you mean 'version'"),
    ],
)
def test_contradicting_data_is_refused(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(StudyInvalid, match=problem):
        DataSpec.parse(given, at="study.data")
    with pytest.raises(StudyInvalid):
        DataSpec.model_validate(given)


def test_evaluation_options_count_and_unstable_ones_are_refused_by_place() -> None:
    assert EvalSpec(options={"average": "macro"}).key != EvalSpec().key
    assert EvalSpec(options={"labels": {1, 2}}).key == EvalSpec(options={"labels": {2, 1}}).key
    assert EvalSpec(options={"threshold": np.float64(0.5)}).key == EvalSpec(options={"threshold": 0.5}).key
    with pytest.raises(IdentityError, match=r"EvalSpec\.options\.thresholds\[1\]"):
        EvalSpec(options={"thresholds": [0.5, float("nan")]})


def test_later_change_of_given_options_does_not_change_the_key() -> None:
    options: dict[str, Any] = {"average": "macro"}
    spec = EvalSpec(options=options)
    options["average"] = "micro"
    assert spec.options == {"average": "macro"}


def test_digest_of_bytes_is_sha256() -> None:
    assert content_digest_of(b"abc") == content_digest_text(b"abc")
    assert content_digest_of(bytearray(b"abc")) == content_digest_of(memoryview(b"abc"))


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=4, max_size=4))
def test_array_digest_ignores_memory_order_and_byte_order(cells: list[int]) -> None:
    array = np.array(cells, dtype="<i8").reshape(2, 2)
    digest = content_digest_of(array)
    assert digest == content_digest_of(np.asfortranarray(array))
    assert digest == content_digest_of(array.astype(">i8"))
    assert digest == content_digest_of(np.repeat(array, 2, axis=0)[::2])
    head = canonical({"dtype": "<i8", "shape": [2, 2]})
    assert digest == content_digest_text(head + b"\n" + array.tobytes())


def test_shape_type_and_content_of_an_array_count() -> None:
    array = np.arange(4, dtype="<i8")
    variants = [array, array.reshape(2, 2), array.astype("<i4"), array.astype("<f8"), array[::-1]]
    assert len({content_digest_of(each) for each in variants}) == len(variants)


def test_object_array_is_digested_by_its_nested_list() -> None:
    labels = np.array(["cat", "dog"] * 60_000, dtype=object)
    assert content_digest_of(labels) == content_digest_text(canonical(labels.tolist(), max_bytes=None))


def test_structures_are_digested_by_the_digests_of_their_parts() -> None:
    x, y = np.zeros(3), b"labels"
    expected = canonical({"x": content_digest_of(x), "parts": [content_digest_of(y)]})
    assert content_digest_of({"x": x, "parts": (y,)}) == content_digest_text(expected)


@pytest.mark.parametrize(
    ("value", "place"),
    [("text", "data"), ([b"", 3], r"data\[1\]"), ({"x": [None]}, r"data\.x\[0\]")],
)
def test_what_has_no_digest_is_refused_by_place(value: object, place: str) -> None:
    with pytest.raises(IdentityError, match=f"^{place}: "):
        content_digest_of(value)


def test_structured_array_with_objects_is_refused() -> None:
    with pytest.raises(IdentityError, match="addresses"):
        content_digest_of(np.zeros(2, dtype=[("a", "O"), ("b", "<i8")]))
