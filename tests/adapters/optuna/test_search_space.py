from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.adapters.memory.random_point import random_point
from studbook.adapters.optuna.search_space import OptunaSpace, space_of
from studbook.domain.distributions import FloatRange
from studbook.domain.errors import StudyInvalid
from studbook.domain.search_space import SearchSpace, choice, fixed, float_range, int_range
from studbook.ports.contract.search_spaces import search_spaces


@given(search_spaces())
def test_a_space_in_optunas_terms_and_back_is_the_same(space: SearchSpace) -> None:
    assert space_of(OptunaSpace(space).distributions, space.constants).payload() == space.payload()


@given(search_spaces(), st.integers())
def test_params_in_optunas_terms_and_back_are_the_same(space: SearchSpace, seed: int) -> None:
    params = random_point(space, Random(seed))
    translated = OptunaSpace(space)
    assert repr(translated.params(translated.sampled(params))) == repr(params)


def test_fixed_parameters_are_not_sampled_but_always_given() -> None:
    space = OptunaSpace(SearchSpace.parse({"width": fixed([1, 2]), "depth": int_range(1, 4)}))
    assert list(space.distributions) == ["depth"]
    assert space.params({"depth": 3}) == {"width": [1, 2], "depth": 3}


def test_what_a_killed_ask_never_sampled_is_left_out() -> None:
    space = OptunaSpace(SearchSpace.parse({"width": fixed(8), "depth": int_range(1, 4)}))
    assert space.params({}) == {"width": 8}


def test_choices_that_optuna_tells_apart_stay_themselves_in_canonical_order() -> None:
    space = OptunaSpace(SearchSpace.parse({"optimizer": choice("sgd", None, "adam", True)}))
    distribution = space.distributions["optimizer"]
    assert set(distribution.choices) == {"sgd", None, "adam", True}  # type: ignore[attr-defined]
    assert distribution.choices == tuple(choice("adam", True, None, "sgd").choices)  # type: ignore[attr-defined]


def test_choices_that_python_takes_for_equal_are_told_apart() -> None:
    space = OptunaSpace(SearchSpace.parse({"flag": choice(True, 1, 0, False)}))
    back = {repr(space.params({"flag": each})["flag"]) for each in space.distributions["flag"].choices}  # type: ignore[attr-defined]
    assert back == {"True", "1", "0", "False"}


def test_nested_choices_are_copies() -> None:
    space = OptunaSpace(SearchSpace.parse({"layers": choice([1], [1, 2])}))
    first = space.params({"layers": "json:[1]"})["layers"]
    assert isinstance(first, list)
    first.append(9)
    assert space.params({"layers": "json:[1]"})["layers"] == [1]


@pytest.mark.parametrize(
    "distribution",
    [
        int_range(0, 2**60),
        float_range(-1.7e308, 1.7e308),
        float_range(1e6, 1e6 + 1, step=1e-12),
        FloatRange(low=1e-17, high=3.5, step=1),
    ],
)
def test_numbers_that_floats_cannot_tell_apart_are_refused(distribution: object) -> None:
    with pytest.raises(StudyInvalid, match="Optuna cannot sample"):
        OptunaSpace(SearchSpace.parse({"x": distribution}))


def test_a_sample_outside_by_a_rounding_error_is_brought_back() -> None:
    space = OptunaSpace(SearchSpace.parse({"lr": float_range(1e-5, 1e-1, log=True)}))
    assert space.params({"lr": 0.10000000000000002})["lr"] == 0.1
