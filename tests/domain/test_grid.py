from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given

from studbook.domain.errors import StudyInvalid
from studbook.domain.grid import MAX_POINTS, grid
from studbook.domain.search_space import SearchSpace, choice, fixed, float_range, int_range
from studbook.ports.contract.search_spaces import search_spaces


def test_a_grid_lists_every_value() -> None:
    space = SearchSpace.parse(
        {
            "a": int_range(1, 6, step=2),
            "b": float_range(0, 0.3, step=0.1),
            "c": choice("x", None),
            "d": fixed([1]),
            "e": int_range(1, 3, log=True),
        }
    )
    assert grid(space) == {
        "a": [1, 3, 5],
        "b": [0.0, 0.1, 0.2, 0.3],
        "c": list(choice("x", None).choices),
        "d": [[1]],
        "e": [1, 2, 3],
    }


@given(search_spaces(max_parameters=2))
def test_every_point_of_a_grid_lies_in_its_space(space: SearchSpace) -> None:
    try:
        values = grid(space)
    except StudyInvalid:
        return
    for point, _ in zip(product(*values.values()), range(50), strict=False):
        params = dict(zip(values, point, strict=True))
        assert repr(space.typed(params)) == repr(params)


def test_a_range_without_a_step_has_no_grid() -> None:
    with pytest.raises(StudyInvalid, match="no grid"):
        grid(SearchSpace.parse({"a": float_range(0, 1)}))


def test_a_grid_that_is_too_large_is_refused_before_it_is_made() -> None:
    grid(SearchSpace.parse({"a": int_range(1, MAX_POINTS)}))
    with pytest.raises(StudyInvalid, match="cannot be searched point by point"):
        grid(SearchSpace.parse({"a": int_range(1, 2**50), "b": int_range(1, 2**50)}))
