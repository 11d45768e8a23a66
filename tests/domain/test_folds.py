from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from studbook.domain.canonical import canonical
from studbook.domain.errors import FoldsInvalid, StratifyImpossible
from studbook.domain.folds import Fold, explicit_folds, fold_digest, make_folds
from studbook.domain.keys import TrialKey
from studbook.domain.trial import fold_key
from studbook.domain.validation import KFold

counts = st.integers(2, 5)
seeds = st.integers(-(2**40), 2**40)


@given(counts, st.integers(0, 40), st.integers(1, 3), seeds)
def test_folds_of_each_repeat_partition_the_samples(count: int, extra: int, repeats: int, seed: int) -> None:
    n = count + extra + 3
    try:
        folds = make_folds(KFold(count=count, repeats=repeats, seed=seed), n)
    except FoldsInvalid:
        reject()  # few samples can fall the same way twice
    assert [fold.index for fold in folds] == list(range(count * repeats))
    for repeat in range(repeats):
        block = folds[repeat * count : (repeat + 1) * count]
        assert sorted(i for fold in block for i in fold.validation) == list(range(n))
        sizes = [len(fold.validation) for fold in block]
        assert sizes == sorted(sizes, reverse=True)
        assert max(sizes) - min(sizes) <= 1
        for fold in block:
            assert sorted(fold.train + fold.validation) == list(range(n))
            assert fold.digest == fold_digest(fold.train, fold.validation)


@given(counts, st.integers(0, 30), seeds)
def test_order_is_by_hash_of_seed_repeat_and_index(count: int, extra: int, seed: int) -> None:
    n = count + extra
    order = sorted(range(n), key=lambda i: hashlib.sha256(canonical(["split", seed, 0, i])).digest())
    folds = make_folds(KFold(count=count, seed=seed), n)
    start = 0
    for fold in folds:
        assert sorted(order[start : start + len(fold.validation)]) == list(fold.validation)
        start += len(fold.validation)


def test_without_shuffling_blocks_are_contiguous() -> None:
    folds = make_folds(KFold(count=3, shuffle=False), 7)
    assert [fold.validation for fold in folds] == [(0, 1, 2), (3, 4), (5, 6)]


def test_another_seed_and_another_repeat_split_otherwise() -> None:
    first = make_folds(KFold(count=3, repeats=2), 30)
    assert {fold.digest for fold in first[:3]}.isdisjoint(fold.digest for fold in first[3:])
    assert first[0].digest != make_folds(KFold(count=3, seed=1), 30)[0].digest
    assert first[:3] == make_folds(KFold(count=3), 30)


def balanced(folds: Sequence[Fold], labels: Sequence[Any]) -> bool:
    for label in set(labels):
        members = [Counter(labels[i] for i in fold.validation)[label] for fold in folds]
        if max(members) - min(members) > 1:
            return False
    return True


@given(counts, st.lists(st.integers(2, 9), min_size=1, max_size=4), seeds, st.randoms(use_true_random=False))
def test_stratified_folds_share_out_every_label(count: int, extras: list[int], seed: int, order: Any) -> None:
    labels = [f"label {name}" for name, extra in enumerate(extras) for _ in range(count + extra)]
    order.shuffle(labels)
    folds = make_folds(KFold(count=count, stratify=True, seed=seed), labels=labels)
    assert sorted(i for fold in folds for i in fold.validation) == list(range(len(labels)))
    assert balanced(folds, labels)
    sizes = [len(fold.validation) for fold in folds]
    assert max(sizes) - min(sizes) <= 1


def test_dealing_goes_on_where_the_label_before_stopped() -> None:
    folds = make_folds(KFold(count=2, stratify=True, shuffle=False), labels=["b", "a", "a", "b", "a", "b"])
    assert [fold.validation for fold in folds] == [(1, 3, 4), (0, 2, 5)]


def test_labels_from_numpy_are_as_good_as_python() -> None:
    labels = [0, 1] * 10
    validation = KFold(count=3, stratify=True)
    assert make_folds(validation, labels=np.array(labels)) == make_folds(validation, labels=labels)  # type: ignore[arg-type]


def test_rare_label_is_refused_by_name() -> None:
    with pytest.raises(StratifyImpossible, match='label "rare" has 2 members for 3 folds'):
        make_folds(KFold(count=3, stratify=True), labels=["rare"] * 2 + ["common"] * 9)


@pytest.mark.parametrize(
    ("validation", "n", "labels", "problem"),
    [
        (KFold(count=3), None, None, "number of samples is unknown"),
        (KFold(count=3), 2, None, "do not fill"),
        (KFold(count=3, stratify=True), 9, None, "need labels"),
        (KFold(count=3), 9, ["a"] * 8, "8 labels for 9 samples"),
        (KFold(count=3, repeats=2, shuffle=False), 9, None, "folds 0 and 3 are the same split"),
    ],
)
def test_folds_that_cannot_be_made_are_refused(
    validation: KFold, n: int | None, labels: list[str] | None, problem: str
) -> None:
    with pytest.raises(FoldsInvalid, match=problem):
        make_folds(validation, n, labels)


@given(st.permutations(range(12)), st.integers(1, 11), st.randoms(use_true_random=False))
def test_digest_ignores_the_order_of_indices_and_nothing_else(
    samples: list[int], cut: int, order: Any
) -> None:
    train, held = samples[:cut], samples[cut:]
    digest = fold_digest(train, held)
    again = list(train)
    order.shuffle(again)
    assert fold_digest(again, np.array(held)) == digest
    assert fold_digest(held, train) != digest
    assert fold_digest(train, [*held, 12]) != digest


def test_explicit_folds_keep_their_order_and_indices() -> None:
    pairs = [(np.array([2, 0]), np.array([1])), (np.array([0, 1]), np.array([2]))]
    folds = explicit_folds(pairs)
    assert [(fold.index, fold.train, fold.validation) for fold in folds] == [
        (0, (2, 0), (1,)),
        (1, (0, 1), (2,)),
    ]
    assert all(type(i) is int for fold in folds for i in fold.train + fold.validation)


@pytest.mark.parametrize(
    ("pairs", "problem"),
    [
        ([], "no folds"),
        ([([0], [1]), ([0], [1])], "same split"),
        ([([0], [1, 2]), ([0, 1], [2])], "both validate on sample 2"),
        ([([0, 1], [1])], "samples that it trains on"),
        ([([0], [])], "1 training and 0 validation"),
        ([([], [0])], "0 training and 1 validation"),
        ([([0], [1, 1])], "twice"),
        ([([0], [-1])], "no sample index"),
        ([([0.5], [1])], "no sample index"),
        ([([True], [2])], "no sample index"),
    ],
)
def test_explicit_folds_that_prove_nothing_are_refused(pairs: list[Any], problem: str) -> None:
    with pytest.raises(FoldsInvalid, match=problem):
        explicit_folds(pairs)


def test_trial_index_and_digest_make_the_fold_key() -> None:
    one, other = (TrialKey("tk3:" + digit * 64) for digit in "ab")
    digest = fold_digest([0], [1])
    keys = {
        fold_key(one, 0, digest),
        fold_key(one, 0, None),
        fold_key(one, 1, digest),
        fold_key(other, 0, digest),
        fold_key(one, 0, fold_digest([1], [0])),
    }
    assert len(keys) == 5
