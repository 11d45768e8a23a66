"""What the user says of the data: turned into the study's data, its row count and its labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..domain.data import DataSpec, content_digest_of
from ..domain.errors import FoldsInvalid
from ..domain.folds import Fold, explicit_folds, make_folds
from ..domain.validation import ExplicitFolds, KFold, NoValidation, Validation

Folds = int | Iterable[tuple[Iterable[int], Iterable[int]]] | None


@dataclass(frozen=True, slots=True)
class Splits:
    """How a study validates, and its folds; a fold is None when its rows are not known beforehand."""

    validation: Validation
    folds: tuple[Fold | None, ...]


def data_spec(data: object) -> DataSpec:
    """The data's identity: as declared, by its bytes (arrays, nested lists of arrays), or undeclared."""
    if isinstance(data, DataSpec):
        return data
    return DataSpec.undeclared() if data is None else DataSpec.content(content_digest_of(data))


def row_count(data: object, n_samples: int | None) -> int | None:
    """The number of rows: as given, else that of the (first) array. Raises FoldsInvalid."""
    given: object = n_samples
    if given is not None and (not isinstance(given, int) or given < 1):
        raise FoldsInvalid(
            f"n_samples={n_samples!r} is no number of rows", cure="give a whole number from 1 on"
        )
    if n_samples is not None or isinstance(data, DataSpec) or data is None:
        return n_samples
    first: Any = data[0] if isinstance(data, tuple | list) and data else data
    shape = getattr(first, "shape", None)
    return int(shape[0]) if shape else None


def splits(
    folds: Folds,
    *,
    rows: int | None,
    labels: Sequence[object] | None,
    stratify: bool | None,
    repeats: int = 1,
    shuffle: bool = True,
    seed: int = 0,
) -> Splits:
    """The splits of a study: none, k folds (stratified when there are labels), or given index pairs.

    Raises FoldsInvalid, StratifyImpossible, StudyInvalid.
    """
    if folds is None:
        return Splits(NoValidation(), ())
    if isinstance(folds, bool):
        raise FoldsInvalid("folds=True says no number", cure="give folds=5, index pairs, or None")
    if not isinstance(folds, int):
        given = explicit_folds(folds)
        return Splits(ExplicitFolds(digests=tuple(fold.digest for fold in given)), given)
    validation = KFold(
        count=folds,
        repeats=repeats,
        shuffle=shuffle,
        stratify=(labels is not None) if stratify is None else stratify,
        seed=seed if shuffle else None,
    )
    if rows is None and labels is None:
        return Splits(validation, (None,) * (folds * repeats))
    return Splits(validation, make_folds(validation, rows, labels))
