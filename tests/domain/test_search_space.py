from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from studbook.domain.canonical import canonical
from studbook.domain.distributions import Categorical, Fixed, FloatRange, IntRange
from studbook.domain.errors import IdentityError, StudyInvalid, TrialParamsInvalid
from studbook.domain.search_space import DynamicSpace, SearchSpace, choice, fixed, float_range, int_range

SPACE = SearchSpace.parse(
    {
        "lr": float_range(1e-4, 1, log=True),
        "dropout": float_range(0, 0.5, step=0.1),
        "layers": int_range(1, 9, step=2),
        "kernel": choice("rbf", "linear", None, True, 1),
        "epochs": fixed(10),
    }
)
POINT: dict[str, Any] = {"lr": 0.1, "dropout": 0.3, "layers": 3, "kernel": "rbf", "epochs": 10}


def test_distributions_may_be_mappings() -> None:
    parsed = SearchSpace.parse(
        {
            "lr": {"type": "float", "low": "1e-4", "high": 1, "log": True},
            "dropout": {"type": "float", "low": 0, "high": 0.5, "step": "0.1"},
            "layers": {"type": "int", "low": "1", "high": 9.0, "step": 2},
            "kernel": {"type": "categorical", "choices": [1, True, "linear", None, "rbf", "rbf"]},
            "epochs": {"type": "fixed", "value": 10.0},
        }
    )
    assert canonical(parsed.payload()) == canonical(SPACE.payload())


def test_space_of_a_space_is_itself() -> None:
    assert SearchSpace.parse(SPACE) is SPACE
    assert SearchSpace.parse(SPACE.model_dump(mode="json")) == SPACE


def test_single_points_become_fixed() -> None:
    space = SearchSpace.parse(
        {
            "a": float_range(2, 2),
            "b": int_range(3, 4, step=5),
            "c": choice("x", "x"),
            "d": {"type": "int", "low": 1, "high": 1},
        }
    )
    assert all(isinstance(space[name], Fixed) for name in space.names())
    assert space.constants == {"a": 2, "b": 3, "c": "x", "d": 1}
    assert (
        space.payload()
        == SearchSpace.parse({"a": fixed(2), "b": fixed(3), "c": fixed("x"), "d": fixed(1)}).payload()
    )


@pytest.mark.parametrize(
    ("low", "high", "step", "last"),
    [(0, 1, 0.3, 0.9), (0, 1, 0.1, 1.0), (0.1, 0.75, 0.2, 0.7), (0, 0.3, 0.1, 0.3)],
)
def test_high_is_lowered_to_the_last_point_reached(low: float, high: float, step: float, last: float) -> None:
    assert float_range(low, high, step=step).high == last


def test_high_of_ints_is_lowered_to_the_last_point_reached() -> None:
    assert int_range(1, 10, step=4).high == 9


@given(
    st.lists(st.none() | st.booleans() | st.integers() | st.text(max_size=5), min_size=1, max_size=8),
    st.data(),
)
def test_order_and_repeats_of_choices_do_not_count(values: list[Any], data: st.DataObject) -> None:
    mixed = data.draw(st.permutations(values + values[:2]))
    assert choice(*mixed) == choice(*values)


@pytest.mark.parametrize(
    ("name", "given", "problem"),
    [
        ("lr", {"type": "float", "low": 2, "high": 1}, r"study\.search_space\.lr\.high: low 2\.0 is above"),
        ("lr", {"type": "float", "low": 0, "high": 1, "log": True}, "logarithmic range cannot begin at"),
        ("lr", {"type": "float", "low": 1, "high": 2, "log": True, "step": 0.1}, "has no step"),
        ("lr", {"type": "float", "low": 1, "high": 2, "step": 0}, "goes nowhere"),
        ("n", {"type": "int", "low": 1, "high": 8, "log": True, "step": 2}, "no step other than 1"),
        ("n", {"type": "int", "low": 1.5, "high": 8}, r"study\.search_space\.n\.low: 1\.5 is not integral"),
        ("n", {"type": "int", "low": 1, "high": True}, "not a number"),
        ("lr", {"type": "float", "low": "small", "high": 1}, "'small' is not a number"),
        ("lr", {"type": "float", "low": 0, "high": "1e999"}, "no finite number"),
        ("lr", {"type": "float", "low": 0}, r"study\.search_space\.lr\.high: Field required"),
        ("lr", {"type": "float", "lwo": 0, "high": 1}, "did you mean 'low'"),
        ("lr", {"type": "flot", "low": 0, "high": 1}, r"study\.search_space\.lr\.type.*did you mean 'float'"),
        ("lr", {"low": 0, "high": 1}, "type is missing"),
        ("lr", 0.1, "no distribution"),
        ("c", {"type": "categorical", "choices": []}, r"study\.search_space\.c\.choices"),
        ("c", {"type": "categorical", "choices": "abc"}, "pass a list"),
        ("backbone", {"type": "fixed", "value": 1}, "one model family"),
        ("model_family", {"type": "fixed", "value": 1}, "one model family"),
        ("a b", {"type": "fixed", "value": 1}, "no parameter name"),
        ("1a", {"type": "fixed", "value": 1}, "no parameter name"),
        ("", {"type": "fixed", "value": 1}, "no parameter name"),
        ("a" * 129, {"type": "fixed", "value": 1}, "no parameter name"),
        (3, {"type": "fixed", "value": 1}, "no parameter name"),
    ],
)
def test_invalid_parameter_is_refused_with_place_and_cure(name: object, given: object, problem: str) -> None:
    with pytest.raises(StudyInvalid, match=problem) as refusal:
        SearchSpace.parse({name: given})
    assert refusal.value.cure


def test_empty_space_is_refused() -> None:
    with pytest.raises(StudyInvalid, match="empty"):
        SearchSpace.parse({})
    with pytest.raises(StudyInvalid, match="not a mapping"):
        SearchSpace.parse([1])


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"type": "float", "low": float("nan"), "high": 1}, "study.search_space.lr.low: "),
        ({"type": "float", "low": 0, "high": np.inf}, "study.search_space.lr.high: "),
        (
            {"type": "categorical", "choices": ["a", {"deep": [1j]}]},
            "study.search_space.lr.choices[1].deep[0]: ",
        ),
        ({"type": "fixed", "value": {1, 2}}, "study.search_space.lr.value: "),
    ],
)
def test_value_without_canonical_form_is_named_by_its_place(given: object, place: str) -> None:
    with pytest.raises(IdentityError) as refusal:
        SearchSpace.parse({"lr": given})
    assert refusal.value.problem.startswith(place)


def test_constructors_refuse_too() -> None:
    with pytest.raises(StudyInvalid, match="above"):
        float_range(2, 1)
    with pytest.raises(StudyInvalid, match="integral"):
        int_range(1, 2.5)  # type: ignore[arg-type]
    with pytest.raises(StudyInvalid, match="at least"):
        choice()


def test_params_are_typed_by_their_distributions() -> None:
    typed = SPACE.typed(
        {"epochs": 10.0, "kernel": np.str_("rbf"), "layers": 3.0, "dropout": 0.1 + 0.2, "lr": np.float64(1)}
    )
    assert list(typed.items()) == [
        ("lr", 1.0),
        ("dropout", 0.3),
        ("layers", 3),
        ("kernel", "rbf"),
        ("epochs", 10),
    ]
    assert [type(value) for value in typed.values()] == [float, float, int, str, int]


def test_numeric_text_is_a_number_for_ranges_and_text_for_choices() -> None:
    space = SearchSpace.parse({"n": int_range(1, 20), "c": choice("16", 16)})
    assert space.typed({"n": "16", "c": "16"}) == {"n": 16, "c": "16"}
    assert space.typed({"n": 16, "c": 16.0}) == {"n": 16, "c": 16}


def test_true_is_another_choice_than_one() -> None:
    assert SPACE.typed({**POINT, "kernel": True})["kernel"] is True
    assert SPACE.typed({**POINT, "kernel": 1.0})["kernel"] == 1
    assert SPACE.typed({**POINT, "kernel": 1.0})["kernel"] is not True


def test_choices_may_be_structures() -> None:
    space = SearchSpace.parse({"hidden": choice((64, 32), (128,)), "big": choice(2**60, {"$int": 1})})
    assert space.typed({"hidden": [64, 32], "big": 2**60}) == {
        "hidden": [64, 32],
        "big": 2**60,
    }
    assert space.typed({"hidden": (128,), "big": {"$int": 1}}) == {"hidden": [128], "big": {"$int": 1}}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"lr": 1.0000001}, r"params\.lr: .* out of range"),
        ({"lr": 0}, "out of range"),
        ({"lr": "fast"}, "not a number"),
        ({"lr": True}, "not a number"),
        ({"lr": float("nan")}, "nan"),
        ({"dropout": 0.25}, r"off the grid.*nearest point is 0\.[23]"),
        ({"dropout": 0.6}, "out of range"),
        ({"layers": 3.5}, "not integral"),
        ({"layers": 4}, "not reached"),
        ({"layers": 11}, "out of range"),
        ({"kernel": "poly"}, r"none of the choices.*choose from .*\"rbf\""),
        ({"kernel": 1j}, "complex"),
        ({"epochs": 11}, "none of the choices"),
        ({"layrs": 3}, r"params\.layrs: not in the search space.*did you mean 'layers'"),
    ],
)
def test_params_that_are_no_point_of_the_space_are_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(TrialParamsInvalid, match=problem):
        SPACE.typed({**POINT, **change})


@pytest.mark.parametrize("name", POINT)
def test_missing_param_is_refused_fixed_ones_included(name: str) -> None:
    with pytest.raises(TrialParamsInvalid, match=name):
        SPACE.typed({key: value for key, value in POINT.items() if key != name})


finite = st.floats(-1e6, 1e6)


@given(finite, finite, st.floats(0, 1))
def test_every_float_within_the_range_is_a_point_as_it_is(one: float, other: float, part: float) -> None:
    low, high = sorted((one, other))
    value = min(max(low + part * (high - low), low), high)
    assume(low < high)
    assert SearchSpace.parse({"x": float_range(low, high)}).typed({"x": value}) == {"x": value}


@given(st.integers(-1000, 1000), st.integers(1, 1000), st.integers(0, 1000), st.integers(0, 200))
def test_grid_points_reached_by_floating_sums_snap_to_one_value(
    low: int, width: int, high: int, count: int
) -> None:
    start, step = low / 100, width / 1000
    space = float_range(start, start + high / 10, step=step)
    exact = Decimal(repr(start)) + count * Decimal(repr(step))
    assume(exact <= Decimal(repr(space.high)))
    by_sum = start
    for _ in range(count):
        by_sum += step
    assert space.typed(by_sum, "x") == space.typed(start + count * step, "x") == float(exact)


@given(st.integers(-50, 50), st.integers(0, 50), st.integers(1, 7))
def test_int_range_has_exactly_its_grid(low: int, width: int, step: int) -> None:
    space = int_range(low, low + width, step=step)
    points = set(range(low, low + width + 1, step))
    for value in range(low - 2, low + width + 3):
        if value in points:
            assert space.typed(value, "x") == value
        else:
            with pytest.raises(TrialParamsInvalid):
                space.typed(value, "x")
    assert space.high == max(points)


def test_every_field_of_a_distribution_counts() -> None:
    variants: list[FloatRange | IntRange | Categorical | Fixed] = [
        FloatRange(low=1, high=9),
        FloatRange(low=2, high=9),
        FloatRange(low=1, high=8),
        FloatRange(low=1, high=9, log=True),
        FloatRange(low=1, high=9, step=1),
        IntRange(low=1, high=9),
        IntRange(low=1, high=9, log=True),
        IntRange(low=1, high=9, step=2),
        Categorical(choices=(1, 9)),
        Categorical(choices=(1, "9")),
        Fixed(value=1),
        Fixed(value="1"),
        Fixed(value=True),
    ]
    for one, other in itertools.combinations(variants, 2):
        assert canonical(one.payload()) != canonical(other.payload())


def test_dynamic_space_takes_params_as_they_are() -> None:
    space = DynamicSpace(revision="r2")
    assert space.payload() == "dynamic:r2"
    assert space.typed({"lr": np.float64(0.5), "layers": (1, 2)}) == {"lr": 0.5, "layers": [1, 2]}
    with pytest.raises(TrialParamsInvalid, match=r"params\.f"):
        space.typed({"f": len})
    with pytest.raises(StudyInvalid):
        DynamicSpace(revision="")
