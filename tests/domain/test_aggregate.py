from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.domain.aggregate import aggregate, dominates, is_better, mean, pareto_set, summarise_folds
from studbook.domain.study import Direction, FoldAggregate

UP, DOWN = Direction.MAXIMIZE, Direction.MINIMIZE
scores = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=8)
ways = st.sampled_from([UP, DOWN])


def test_mean_is_summed_without_rounding() -> None:
    assert mean([0.1] * 10) == 0.1
    assert mean([1e16, 1.0, -1e16]) == pytest.approx(1 / 3)


@given(scores, ways)
def test_spread_is_that_of_a_sample(values: list[float], direction: Direction) -> None:
    summary = summarise_folds(values, FoldAggregate.MEAN, direction)
    assert summary.std == pytest.approx(statistics.stdev(values), rel=1e-9, abs=1e-6)
    assert summary.se == pytest.approx(statistics.stdev(values) / math.sqrt(len(values)), rel=1e-9, abs=1e-6)


@given(st.floats(-1e6, 1e6), st.sampled_from(FoldAggregate), ways)
def test_one_fold_has_its_value_and_no_spread(value: float, how: FoldAggregate, direction: Direction) -> None:
    summary = summarise_folds([value], how, direction)
    assert (summary.value, summary.std, summary.se) == (value, None, None)


@given(scores)
def test_worst_fold_depends_on_the_direction(values: list[float]) -> None:
    assert aggregate(values, FoldAggregate.WORST, UP) == min(values)
    assert aggregate(values, FoldAggregate.WORST, DOWN) == max(values)
    assert aggregate(values, FoldAggregate.MEDIAN, UP) == statistics.median(values)


@given(scores, st.sampled_from(FoldAggregate), ways, st.randoms(use_true_random=False))
def test_order_of_folds_does_not_change_the_value(
    values: list[float], how: FoldAggregate, direction: Direction, order: object
) -> None:
    assert aggregate(sorted(values), how, direction) == aggregate(values, how, direction)


points = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=10)


@given(points, st.tuples(ways, ways))
def test_pareto_set_is_what_nothing_dominates(
    found: list[tuple[int, int]], directions: tuple[Direction, Direction]
) -> None:
    kept = pareto_set(found, directions)
    assert list(kept) == sorted(set(kept))
    for i, point in enumerate(found):
        beaten = any(dominates(other, point, directions) for other in found)
        assert (i in kept) != beaten
        if beaten:
            assert any(dominates(found[j], point, directions) for j in kept)


@given(points, st.tuples(ways, ways))
def test_equal_points_stay_together(
    found: list[tuple[int, int]], directions: tuple[Direction, Direction]
) -> None:
    kept = {found[i] for i in pareto_set(found, directions)}
    assert len(pareto_set(found, directions)) == sum(point in kept for point in found)


def test_domination_follows_each_direction() -> None:
    assert dominates((0.9, 10), (0.8, 10), (UP, DOWN))
    assert not dominates((0.9, 11), (0.8, 10), (UP, DOWN))
    assert not dominates((0.9, 10), (0.9, 10), (UP, DOWN))
    assert is_better(2, 1, UP)
    assert is_better(1, 2, DOWN)
    assert not is_better(1, 1, DOWN)


def test_vectors_of_different_length_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="zip"):
        dominates((1, 2), (1,), (UP, UP))
