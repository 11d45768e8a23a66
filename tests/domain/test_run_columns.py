"""Columns of runs, and the order that they are sorted in."""

from __future__ import annotations

import itertools
import math
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.test_run_filter import view
from studbook.domain.errors import InvalidInput
from studbook.domain.run_columns import ATTRIBUTES, Cell, Column
from studbook.domain.run_view import RunView

VALUES = st.none() | st.sampled_from([0.5, -1.0, math.inf, math.nan, 3, "rbf", "linear", "0.25", "nan"])
RUNS = st.lists(st.tuples(VALUES, st.integers(0, 2)), max_size=8).map(
    lambda rows: [
        view(run_id=str(number), started_at=started, params={} if value is None else {"p": value})
        for number, (value, started) in enumerate(rows)
    ]
)
PARAM = Column.parse("params.p")


def is_missing(run: RunView) -> bool:
    value = run.params.get("p")
    return value is None or str(value) == "nan"


def rank(run: RunView) -> tuple[bool, object]:
    """By the words of the promise: numbers, and text that is a number, before other text."""
    value = run.params["p"]
    assert isinstance(value, str | int | float)
    try:
        return False, float(value)
    except ValueError:
        return True, value


@given(RUNS, st.booleans(), st.randoms(use_true_random=False))
def test_sorting_is_total_and_puts_what_is_missing_last(
    runs: list[RunView], descending: bool, random: Random
) -> None:
    def ordered(given: list[RunView]) -> list[RunView]:
        return sorted(given, key=lambda run: PARAM.sort_key(run, descending=descending))

    found = ordered(runs)
    shuffled = list(runs)
    random.shuffle(shuffled)
    assert [run.run_id for run in ordered(shuffled)] == [run.run_id for run in found]
    missing = [is_missing(run) for run in found]
    assert missing == sorted(missing)
    present = [run for run in found if not is_missing(run)]
    assert [rank(run) for run in present] == sorted((rank(run) for run in present), reverse=descending)
    for one, other in itertools.pairwise(found):
        if is_missing(one) == is_missing(other) and (is_missing(one) or rank(one) == rank(other)):
            assert (one.started_at, one.run_id) < (other.started_at, other.run_id)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("ref", "rk3:1"),
        ("stage", "hpo_trial"),
        ("started_at", datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
        ("duration_s", 1.0),
        ("end_reason", None),
        ("url", "http://host/1"),
        ("params.a.b", 0.5),
        ("params.list", "[1, 2]"),
        ("metrics.f1", 0.75),
        ("metrics.absent", None),
        ("tags.team/x y", "a"),
    ],
)
def test_a_column_gives_the_runs_value(text: str, value: Cell) -> None:
    run = view(
        params={"a.b": 0.5, "list": [1, 2]}, metrics={"f1": 0.75}, tags={"team/x y": "a"}, url="http://host/1"
    )
    assert Column.parse(text).of(run) == value


def test_every_attribute_is_a_column_of_any_run() -> None:
    for name in ATTRIBUTES:
        assert not isinstance(Column.parse(name).of(view(ended_at=None)), dict)


@pytest.mark.parametrize(
    ("text", "near"), [("statsu", "status"), ("metric.f1", "metrics.<name>"), ("params.", "params")]
)
def test_an_unknown_column_is_refused_with_what_there_is(text: str, near: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Column.parse(text)
    assert near in caught.value.cure
