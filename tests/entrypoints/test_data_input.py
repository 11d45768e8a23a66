"""What the user says of the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.domain.data import DataSpec
from studbook.domain.errors import FoldsInvalid, IdentityError, StratifyImpossible
from studbook.domain.validation import ExplicitFolds, KFold, NoValidation
from studbook.entrypoints.data_input import data_spec, row_count, splits

X = np.arange(12.0).reshape(6, 2)
Y: Any = np.array([0, 1, 0, 1, 0, 1])


def test_data_is_known_as_declared_by_its_bytes_or_not_at_all() -> None:
    declared = DataSpec.declared("digits", "1")
    assert data_spec(declared) is declared
    assert data_spec(None) == DataSpec.undeclared()
    assert data_spec(X).mode == "content"
    assert data_spec((X, Y)).key == data_spec((X.copy(), Y.copy())).key
    assert data_spec((X, Y)).key != data_spec((X, Y + 1)).key
    assert data_spec(X).key != data_spec(X.astype("float32")).key


def test_what_has_no_bytes_cannot_be_digested() -> None:
    with pytest.raises(IdentityError) as caught:
        data_spec(object())
    assert caught.value.cure


@pytest.mark.parametrize(
    ("data", "given", "rows"),
    [
        (X, None, 6),
        ((X, Y), None, 6),
        ([X], None, 6),
        (X, 4, 4),
        (None, 4, 4),
        (None, None, None),
        (DataSpec.declared("d", "1"), None, None),
        (b"bytes", None, None),
        (np.float64(1), None, None),
        ((), None, None),
    ],
)
def test_rows_are_counted_where_it_can_be_told(data: object, given: int | None, rows: int | None) -> None:
    assert row_count(data, given) == rows


@pytest.mark.parametrize("n_samples", [0, -1, 2.5, "6"])
def test_a_number_of_rows_is_a_whole_number(n_samples: object) -> None:
    with pytest.raises(FoldsInvalid) as caught:
        row_count(None, n_samples)  # type: ignore[arg-type]
    assert caught.value.cure


def test_without_folds_the_function_validates_by_itself() -> None:
    assert splits(None, rows=6, labels=None, stratify=None) == splits(
        None, rows=None, labels=Y, stratify=None
    )
    assert isinstance(splits(None, rows=6, labels=None, stratify=None).validation, NoValidation)


def test_labels_stratify_unless_told_otherwise() -> None:
    by_labels = splits(3, rows=None, labels=Y, stratify=None)
    assert by_labels.validation == KFold(count=3, stratify=True)
    assert splits(3, rows=6, labels=Y, stratify=False).validation == KFold(count=3)
    assert splits(3, rows=6, labels=None, stratify=None).validation == KFold(count=3)


def test_stratifying_needs_labels_and_enough_of_each() -> None:
    with pytest.raises(FoldsInvalid, match="labels"):
        splits(3, rows=6, labels=None, stratify=True)
    with pytest.raises(StratifyImpossible):
        splits(4, rows=6, labels=Y, stratify=True)
    with pytest.raises(FoldsInvalid, match="5 labels for 6"):
        splits(2, rows=6, labels=Y[:5], stratify=False)


def test_without_rows_the_folds_are_counted_but_not_known() -> None:
    unknown = splits(3, rows=None, labels=None, stratify=None, repeats=2, seed=4)
    assert unknown.folds == (None,) * 6
    assert unknown.validation == KFold(count=3, repeats=2, seed=4)


def test_given_pairs_are_folds_by_their_digests() -> None:
    given = splits(iter([([0, 1], [2]), ([2], [0, 1])]), rows=None, labels=None, stratify=None)
    assert isinstance(given.validation, ExplicitFolds)
    assert [fold.digest for fold in given.folds if fold] == list(given.validation.digests)
    assert [fold.validation for fold in given.folds if fold] == [(2,), (0, 1)]


@given(st.integers(2, 6), st.integers(6, 30), st.integers(0, 2**31))
def test_every_row_is_held_back_once(count: int, rows: int, seed: int) -> None:
    made = splits(count, rows=rows, labels=None, stratify=None, seed=seed)
    assert len(made.folds) == count
    held = [row for fold in made.folds if fold for row in fold.validation]
    assert sorted(held) == list(range(rows))
