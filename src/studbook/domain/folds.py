"""Cross-validation splits: made the same way everywhere, and known by their digest."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from .canonical import canonical, content_digest_text, unwrapped
from .errors import FoldsInvalid, StratifyImpossible
from .validation import KFold

Indices = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Fold:
    """One split of n samples, by index from 0. Build it with `Fold.of`, which computes the digest."""

    index: int
    train: Indices
    validation: Indices
    digest: str

    @classmethod
    def of(cls, index: int, train: Iterable[int], validation: Iterable[int]) -> Fold:
        """The fold of these indices. Raises FoldsInvalid when a part is empty, or they share a sample."""
        taught, held = _indices(train, index), _indices(validation, index)
        if not taught or not held:
            raise FoldsInvalid(
                f"fold {index} has {len(taught)} training and {len(held)} validation samples",
                cure="use fewer folds, or more samples",
            )
        if not set(held).isdisjoint(taught):
            raise FoldsInvalid(
                f"fold {index} validates on samples that it trains on", cure="make the two parts disjoint"
            )
        if len(set(held)) != len(held):
            raise FoldsInvalid(f"fold {index} validates on a sample twice", cure="name each sample once")
        return cls(index, taught, held, fold_digest(taught, held))


def fold_digest(train: Iterable[int], validation: Iterable[int]) -> str:
    """The content digest of a split; the order of the indices does not count."""
    parts = (
        struct.pack(f"<Q{len(indices)}q", len(indices), *indices)
        for indices in (sorted(train), sorted(validation))
    )
    return content_digest_text(b"studbook-fold\n" + b"".join(parts))


def make_folds(
    validation: KFold, n_samples: int | None = None, labels: Sequence[Any] | None = None
) -> tuple[Fold, ...]:
    """The folds of `validation`, repeat by repeat. `labels` (one a sample) are needed to stratify.

    Raises FoldsInvalid, or StratifyImpossible when a label has fewer members than there are folds.
    """
    n = _sample_count(validation, n_samples, labels)
    folds: list[Fold] = []
    for repeat in range(validation.repeats):
        order = _order(n, validation.seed, repeat) if validation.shuffle else list(range(n))
        blocks = (
            _stratified(order, labels, validation.count)
            if validation.stratify and labels is not None
            else _contiguous(order, validation.count)
        )
        for block, held in enumerate(blocks):
            rest = (i for other in blocks if other is not held for i in other)
            folds.append(Fold.of(repeat * validation.count + block, sorted(rest), sorted(held)))
    _check_distinct(folds)
    return tuple(folds)


def explicit_folds(pairs: Iterable[tuple[Iterable[int], Iterable[int]]]) -> tuple[Fold, ...]:
    """The folds of given (training, validation) indices, such as a splitter's `split()` yields.

    Raises FoldsInvalid when there are none, two are the same, or validation parts overlap.
    """
    folds = [Fold.of(index, train, held) for index, (train, held) in enumerate(pairs)]
    if not folds:
        raise FoldsInvalid("there are no folds", cure="pass at least one pair of index lists")
    _check_distinct(folds)
    seen: dict[int, int] = {}
    for fold in folds:
        for sample in fold.validation:
            if sample in seen:
                raise FoldsInvalid(
                    f"folds {seen[sample]} and {fold.index} both validate on sample {sample}",
                    cure="make the validation parts disjoint, or use kfold with repeats",
                )
            seen[sample] = fold.index
    return tuple(folds)


def _sample_count(validation: KFold, n_samples: int | None, labels: Sequence[Any] | None) -> int:
    if labels is None and validation.stratify:
        raise FoldsInvalid("stratified folds need labels", cure="pass one label a sample, or do not stratify")
    if labels is None and n_samples is None:
        raise FoldsInvalid("the number of samples is unknown", cure="pass data, labels or a sample count")
    if labels is not None and n_samples is not None and len(labels) != n_samples:
        raise FoldsInvalid(f"{len(labels)} labels for {n_samples} samples", cure="pass one label a sample")
    n = len(labels) if labels is not None else n_samples or 0
    if n < validation.count:
        raise FoldsInvalid(f"{n} samples do not fill {validation.count} folds", cure="use fewer folds")
    return n


def _order(n: int, seed: int | None, repeat: int) -> list[int]:
    head = canonical(["split", seed, repeat])[:-1]  # canonical(["split", seed, repeat, i]) but for `,i]`

    def rank(i: int) -> bytes:
        return hashlib.sha256(b"%b,%d]" % (head, i)).digest()

    return sorted(range(n), key=rank)


def _contiguous(order: list[int], count: int) -> list[list[int]]:
    size, longer = divmod(len(order), count)
    starts = [block * size + min(block, longer) for block in range(count + 1)]
    return [order[start:end] for start, end in pairwise(starts)]


def _stratified(order: list[int], labels: Sequence[Any], count: int) -> list[list[int]]:
    members: dict[bytes, list[int]] = {}
    for i in order:
        members.setdefault(canonical(unwrapped(labels[i]), at=f"labels[{i}]"), []).append(i)
    blocks: list[list[int]] = [[] for _ in range(count)]
    dealt = 0
    for label in sorted(members):
        if len(members[label]) < count:
            raise StratifyImpossible(
                f"label {label.decode()[:80]} has {len(members[label])} members for {count} folds",
                cure="use fewer folds, merge rare labels, or do not stratify",
            )
        for i in members[label]:
            blocks[dealt % count].append(i)
            dealt += 1
    return blocks


def _check_distinct(folds: Iterable[Fold]) -> None:
    seen: dict[str, int] = {}
    for fold in folds:
        if fold.digest in seen:
            raise FoldsInvalid(
                f"folds {seen[fold.digest]} and {fold.index} are the same split",
                cure="shuffle repeated folds, and give each fold its own split",
            )
        seen[fold.digest] = fold.index


def _indices(given: Iterable[Any], fold: int) -> Indices:
    found = tuple(unwrapped(each) for each in given)
    for each in found:
        if not isinstance(each, int) or isinstance(each, bool) or each < 0:
            raise FoldsInvalid(f"fold {fold}: {each!r} is no sample index", cure="pass indices from 0 on")
    return found
