"""What a training function may return, and what it means."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.application.training_result import Scored, Unusable, judge
from studbook.domain.run import EndReason
from studbook.domain.stage import Stage
from studbook.domain.study import maximize, minimize

F1 = (maximize("f1"),)
TWO = (maximize("f1"), minimize("loss"))


@pytest.mark.parametrize("returned", [0.5, {"f1": 0.5}, Decimal("0.5"), {"f1": Decimal("0.5")}])
def test_one_objective_may_be_a_number_or_a_mapping(returned: object) -> None:
    assert judge(returned, F1, Stage.TRIAL) == Scored({"f1": 0.5}, {"f1": 0.5})


def test_numbers_of_numpy_count() -> None:
    numpy = pytest.importorskip("numpy")
    assert judge(numpy.float32(0.5), F1, Stage.TRIAL) == Scored({"f1": 0.5}, {"f1": 0.5})
    assert judge({"f1": numpy.int64(2)}, F1, Stage.TRIAL) == Scored({"f1": 2.0}, {"f1": 2.0})


def test_other_metrics_are_kept_and_decide_nothing() -> None:
    scored = judge({"loss": 2, "f1": 0.5, "lr": math.nan}, TWO, Stage.TRIAL)
    assert isinstance(scored, Scored)
    assert scored.objectives == {"f1": 0.5, "loss": 2.0}
    assert scored.metrics.keys() == {"f1", "loss", "lr"}


@pytest.mark.parametrize("returned", [None, "0.5", b"1", True, [0.5], {0.5}, object(), Fraction(1, 2), 1j])
def test_what_is_no_result_names_the_objective_that_it_lacks(returned: object) -> None:
    unusable = judge(returned, F1, Stage.TRIAL)
    assert isinstance(unusable, Unusable)
    assert unusable.reason is EndReason.MISSING_OBJECTIVE
    assert "'f1'" in unusable.error


@pytest.mark.parametrize("value", [None, "0.9", True, [1.0]])
def test_an_objective_that_is_no_number_is_missing(value: object) -> None:
    unusable = judge({"f1": value}, F1, Stage.TRIAL)
    assert isinstance(unusable, Unusable)
    assert unusable.reason is EndReason.MISSING_OBJECTIVE


def test_a_number_alone_does_not_serve_two_objectives() -> None:
    unusable = judge(0.5, TWO, Stage.TRIAL)
    assert isinstance(unusable, Unusable)
    assert "'f1', 'loss'" in unusable.error


def test_a_missing_objective_lists_what_was_reported() -> None:
    unusable = judge({"f2": 1.0, "acc": 0.9}, F1, Stage.FOLD)
    assert unusable == Unusable(
        EndReason.MISSING_OBJECTIVE, "objective 'f1' not reported; reported: 'acc', 'f2'"
    )
    nothing = judge({}, F1, Stage.FOLD)
    assert isinstance(nothing, Unusable)
    assert nothing.error.endswith("reported: nothing")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_objective_that_is_not_finite_is_told_with_its_value(value: float) -> None:
    unusable = judge({"f1": value, "loss": 1.0}, TWO, Stage.TRIAL)
    assert unusable == Unusable(EndReason.NON_FINITE_OBJECTIVE, f"f1 is {value}")


_NAMES = (
    st.sampled_from(["f1", "loss", "acc", "a b", "", "x" * 300, "../up", "f1_std"])
    | st.text()
    | st.integers()
)
_VALUES = st.floats() | st.integers() | st.none() | st.text(max_size=3) | st.booleans() | st.decimals()


@given(st.dictionaries(_NAMES, _VALUES, max_size=5), st.sampled_from([Stage.TRIAL, Stage.FOLD]))
def test_any_mapping_is_scored_with_finite_objectives_or_unusable_with_a_reason(
    returned: dict[object, object], stage: Stage
) -> None:
    judged = judge(returned, TWO, stage)
    if isinstance(judged, Scored):
        assert judged.objectives.keys() == {"f1", "loss"}
        assert all(math.isfinite(value) for value in judged.objectives.values())
        assert judged.objectives.items() <= judged.metrics.items()
        assert judged.metrics.keys() == returned.keys()
    else:
        assert judged.error
        finite = judged.reason is EndReason.MISSING_OBJECTIVE
        assert finite or judged.reason is EndReason.NON_FINITE_OBJECTIVE


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_finite_numbers_are_always_scored(f1: float, loss: float) -> None:
    assert judge({"f1": f1, "loss": loss}, TWO, Stage.TRIAL) == Scored(
        {"f1": f1, "loss": loss}, {"f1": f1, "loss": loss}
    )
