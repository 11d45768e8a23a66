from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.domain.errors import KeyAmbiguous, KeyReferenceInvalid
from studbook.domain.key_reference import KeyReference
from studbook.domain.keys import RunKey, StudyKey, TrialKey

_hex = st.text("0123456789abcdef", min_size=64, max_size=64)


@given(_hex, st.integers(12, 64), st.booleans(), st.sampled_from([StudyKey, TrialKey, RunKey]))
def test_a_key_is_named_by_its_text_its_digits_and_their_beginning(
    digits: str, length: int, with_kind: bool, kind: type[StudyKey]
) -> None:
    key = kind(f"{kind.KIND}:{digits}")
    given_text = (f"{kind.KIND}:" if with_kind else "") + digits[:length]
    reference = KeyReference.parse(f" {given_text} ", kind)
    assert reference.names(key)
    assert reference.only([key, None, key]) == key
    assert reference.names(digits) is (not with_kind)


@given(_hex, _hex, st.integers(12, 64))
def test_only_keys_that_begin_so_are_named(one: str, other: str, length: int) -> None:
    reference = KeyReference.parse(one[:length], StudyKey)
    assert reference.names(f"sk3:{other}") is other.startswith(one[:length])
    assert not reference.names(f"tk3:{one}")
    assert not reference.names(None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sk3:",
        "0" * 11,
        "sk3:" + "0" * 11,
        "tk3:" + "0" * 64,
        "0" * 65,
        "g" * 12,
        "A" * 12,
        "a:b:" + "0" * 12,
    ],
)
def test_what_names_no_key_is_refused(text: str) -> None:
    with pytest.raises(KeyReferenceInvalid) as caught:
        KeyReference.parse(text, StudyKey)
    assert "sk3" in caught.value.cure


def test_an_ambiguous_beginning_lists_all_that_are_meant() -> None:
    keys = [f"sk3:{'a' * 12}{digit * 52}" for digit in "0123456789"]
    with pytest.raises(KeyAmbiguous) as caught:
        KeyReference.parse("a" * 12, StudyKey).only([*keys, "sk3:" + "b" * 64])
    assert caught.value.details["matches"] == tuple(keys)
    assert all(key in caught.value.cure for key in keys)


def test_a_key_that_nobody_has_is_none() -> None:
    assert KeyReference.parse("a" * 12, StudyKey).only(["sk3:" + "b" * 64]) is None
