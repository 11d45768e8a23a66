"""Conditions on runs: what they say when they are written, and which runs they let through."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.domain.errors import InvalidInput
from studbook.domain.run import RunStatus
from studbook.domain.run_filter import MetricBound, RunFilter
from studbook.domain.run_view import RunView
from studbook.domain.stage import Stage
from studbook.domain.stored_run import Lifecycle

NAMES = st.sampled_from(["f1", "loss/val", "a b", "deep.er-1", "0"])
SIGNS = st.sampled_from([">=", "<=", ">", "<", "=", "==", "!="])
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


def view(**fields: object) -> RunView:
    said: dict[str, object] = {
        "ref": "rk3:1",
        "run_id": "1",
        "stage": Stage.TRIAL,
        "status": RunStatus.FINISHED,
        "lifecycle": Lifecycle.ACTIVE,
        "experiment": "e",
        "name": "n",
        "started_at": 1000,
        "ended_at": 2000,
    }
    return RunView(**{**said, **fields})  # type: ignore[arg-type]


@given(NAMES, SIGNS, NUMBERS, st.sampled_from(["", " "]))
def test_a_bound_is_read_as_it_is_written(name: str, sign: str, number: float, space: str) -> None:
    assert MetricBound.parse(f"{name}{space}{sign}{space}{number!r}") == MetricBound(name, sign, number)


@pytest.mark.parametrize(
    "text",
    ["", "f1", "f1>=", ">=0.9", "f1=>0.9", "f1>=x", "f1>=nan", "f1>inf", "f1>=0.9<1", "f1~0.9", "f1 0.9"],
)
def test_what_is_no_bound_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        MetricBound.parse(text)
    assert "macro_f1>=0.9" in caught.value.cure
    assert caught.value.exit_code == 2


@given(SIGNS, NUMBERS, NUMBERS)
def test_a_bound_holds_as_arithmetic_has_it(sign: str, value: float, bound: float) -> None:
    python = {"=": "=="}.get(sign, sign)
    assert MetricBound("m", sign, bound).holds({"m": value}) == eval(f"{value!r} {python} {bound!r}")  # noqa: S307


@given(SIGNS, NUMBERS)
def test_a_missing_value_and_nan_hold_no_bound(sign: str, bound: float) -> None:
    assert not MetricBound("m", sign, bound).holds({})
    assert not MetricBound("m", sign, bound).holds({"m": math.nan})


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        (RunFilter(), True),
        (RunFilter(stages=frozenset({Stage.REFIT})), False),
        (RunFilter(statuses=frozenset({RunStatus.FAILED})), False),
        (RunFilter(family="svm"), True),
        (RunFilter(family="mlp"), False),
        (RunFilter(studies=frozenset({"sk3:a", "sk3:b"})), True),
        (RunFilter(studies=frozenset()), False),
        (RunFilter(since_ms=1000), True),
        (RunFilter(since_ms=1001), False),
        (RunFilter(until_ms=1001), True),
        (RunFilter(until_ms=1000), False),
        (RunFilter(metrics=(MetricBound("f1", ">", 0.5),)), True),
        (RunFilter(metrics=(MetricBound("f1", ">", 0.5), MetricBound("f1", "<", 0.6))), False),
        (RunFilter(tags={"team": "a=b"}), True),
        (RunFilter(tags={"team": "a"}), False),
        (RunFilter(params={"lr": "0.1", "layers": "2", "kernel": "rbf"}), True),
        (RunFilter(params={"lr": "0.10"}), False),
        (RunFilter(params={"depth": "1"}), False),
    ],
)
def test_each_condition_lets_through_what_it_says(wanted: RunFilter, matches: bool) -> None:
    run = view(
        family="svm",
        study_key="sk3:a",
        metrics={"f1": 0.9},
        tags={"team": "a=b"},
        params={"lr": 0.1, "layers": 2.0, "kernel": "rbf"},
    )
    assert wanted.matches(run) is matches


def test_the_bin_is_looked_into_only_when_it_is_asked_for() -> None:
    deleted = view(lifecycle=Lifecycle.DELETED)
    assert not RunFilter().matches(deleted)
    assert RunFilter(lifecycles=frozenset(Lifecycle)).matches(deleted)
