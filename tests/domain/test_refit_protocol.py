from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.domain.data import DataSpec, EvalSpec
from studbook.domain.errors import InvalidInput, RefitError
from studbook.domain.refit_protocol import RefitProtocol, median_best_step
from studbook.domain.study import Budget, SeedPolicy
from studbook.domain.validation import Holdout

GIVEN: dict[str, Any] = {"data": DataSpec.declared("digits", "1").key, "eval": EvalSpec().key}


def test_every_declared_field_changes_the_key() -> None:
    holdout = Holdout(fraction=0.1)
    changes: list[dict[str, Any]] = [
        {},
        {"data": DataSpec.undeclared().key},
        {"eval": EvalSpec(version="2").key},
        {"validation": holdout},
        {"validation": Holdout(fraction=0.1, seed=1)},
        {"validation": holdout, "checkpoint": "best"},
        {"budget": Budget(unit="epochs", amount=3)},
        {"budget_rule": "median_best_step"},
        {"seed_policy": SeedPolicy.none()},
    ]
    keys = {RefitProtocol(**{**GIVEN, **change}).key for change in changes}
    assert len(keys) == len(changes)


def test_best_checkpoint_needs_a_validation() -> None:
    with pytest.raises(InvalidInput, match="without a validation"):
        RefitProtocol(**GIVEN, checkpoint="best")


def test_study_key_is_no_data_key() -> None:
    with pytest.raises(InvalidInput, match="df3"):
        RefitProtocol(**{**GIVEN, "data": "sk3:" + "0" * 64})


@pytest.mark.parametrize(
    ("steps", "median"), [([5], 5), ([1, 9, 4], 4), ([1, 4], 3), ([2, 4], 3), ([3, 3], 3)]
)
def test_median_is_rounded_up(steps: list[int], median: int) -> None:
    assert median_best_step(steps) == median


@given(st.lists(st.integers(0, 10**18), min_size=1), st.randoms(use_true_random=False))
def test_median_ignores_order_and_lies_between(steps: list[int], order: Any) -> None:
    mixed = list(steps)
    order.shuffle(mixed)
    assert min(steps) <= median_best_step(mixed) == median_best_step(steps) <= max(steps)


@pytest.mark.parametrize("steps", [[], [None], [3, None, 4]])
def test_median_needs_the_best_step_of_every_fold(steps: list[int | None]) -> None:
    with pytest.raises(RefitError, match="best step"):
        median_best_step(steps)
