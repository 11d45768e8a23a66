"""What users give is checked at the call."""

from __future__ import annotations

import math
from enum import Enum
from fractions import Fraction
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.domain.errors import (
    MetricNameInvalid,
    MetricValueInvalid,
    ParamInvalid,
    ReservedTag,
    TagInvalid,
    UndeclaredTag,
)
from studbook.domain.recorded_values import (
    check_metric_name,
    check_param_name,
    check_user_tags,
    metric_value,
    metric_values,
    param_text,
    typed_param,
    typed_params,
)
from studbook.domain.stage import Stage
from studbook.domain.vocabulary import DEFAULT_VOCABULARY

BAD_NAMES = ["", "a..b", "a//b", "/a", "a/", ".", "./a", "a/./b", "x" * 251, "é", "a:b", "a\nb", "a@b"]


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_some_backend_refuses_is_refused(name: str) -> None:
    with pytest.raises(MetricNameInvalid):
        check_metric_name(name)
    with pytest.raises(ParamInvalid):
        check_param_name(name)
    with pytest.raises(TagInvalid):
        check_user_tags({name: "x"})


@pytest.mark.parametrize("name", ["loss", "val/macro f1", "a.b-c_d", "x" * 250, "m_std_2"])
def test_portable_names_pass(name: str) -> None:
    for stage in Stage:
        check_metric_name(name, stage)
    check_param_name(name)


@pytest.mark.parametrize("name", ["f1_std", "f1_se", "f1_fold_0", "intermediate_f1", "folds_scored"])
def test_names_that_a_trial_derives_are_reserved_there_only(name: str) -> None:
    with pytest.raises(MetricNameInvalid):
        metric_values({name: 1.0}, Stage.TRIAL)
    assert metric_values({name: 1.0}, Stage.FOLD) == {name: 1.0}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1.0),
        (0.5, 0.5),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3.0),
        (np.array(2.0), 2.0),
        (math.inf, math.inf),
    ],
)
def test_numbers_become_floats(value: object, expected: float) -> None:
    number = metric_value(value)
    assert type(number) is float
    assert number == expected


def test_nan_is_recorded() -> None:
    assert math.isnan(metric_values({"m": math.nan})["m"])
    assert math.isnan(metric_values({"m": np.float64("nan")})["m"])


@pytest.mark.parametrize(
    "value",
    [
        True,
        np.True_,
        "1.0",
        None,
        1j,
        [1.0],
        np.array([1.0]),
        10**400,
        Fraction(1, 2),
        np.datetime64(0, "s"),
        {},
    ],
)
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(MetricValueInvalid):
        metric_value(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as is", "as is"),
        ("", ""),
        (0.1, "0.1"),
        (1e-5, "0.00001"),
        (16.0, "16"),
        (16, "16"),
        (1e300, "1e+300"),
        (2**60, "1152921504606846976"),
        (10**400, "1" + "0" * 400),
        (np.float64(0.25), "0.25"),
        (np.bool_(1), "true"),
        (False, "false"),
        (None, "null"),
        ((64, 32), "[64,32]"),
        ({"b": 1, "a": None}, '{"a":null,"b":1}'),
        (Colour.RED, "red"),
        (PurePosixPath("a/b"), "a/b"),
        (PurePosixPath("/data/x"), "/data/x"),
    ],
)
def test_params_are_typed_then_text(value: object, text: str) -> None:
    assert param_text(typed_param(value)) == text


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        -math.inf,
        [math.nan],
        np.float32("nan"),
        object(),
        {1, 2},
        b"x",
        "\ud800",
        [{1: {}}, "\ud800"],
        {1.5: 1},
        Path,
    ],
)
def test_params_that_cannot_be_stored_truthfully_are_refused(value: object) -> None:
    with pytest.raises(ParamInvalid):
        typed_params({"p": value})


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.booleans() | st.none())
def test_a_typed_scalar_is_the_scalar(value: float | None) -> None:
    typed = typed_param(value)
    assert typed == value
    assert type(typed) is type(value)


@given(st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False).map(int))
def test_equal_numbers_have_equal_text(value: int) -> None:
    assert int(float(param_text(float(value)))) == int(float(value))
    if float(value) == value:
        assert param_text(float(value)) == param_text(value)
    else:
        assert int(param_text(value)) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_float_gives_the_float_back(value: float) -> None:
    assert float(param_text(value)) == value


@pytest.mark.parametrize("key", ["studbook.stage", "studbook.mine", "mlflow.user", "azureml.x", "code.stage"])
def test_reserved_tags_are_refused(key: str) -> None:
    with pytest.raises(ReservedTag):
        check_user_tags({key: "x"})


def test_a_key_that_a_name_is_mapped_to_is_reserved() -> None:
    ours = DEFAULT_VOCABULARY.remapped({"run.stage": "acme.stage"}, {})
    with pytest.raises(ReservedTag):
        check_user_tags({"acme.stage": "x"}, ours)
    assert check_user_tags({"acme.stage": "x"}) == {"acme.stage": "x"}


def test_users_own_tags_are_kept_as_given() -> None:
    tags = {"team": "vision", "a b/c-d.e_f": " x\n", "mlflow.note.content": "see the wiki"}
    assert check_user_tags(tags) == tags


@pytest.mark.parametrize("tags", [{"x" * 101: "v"}, {"k": 1}, {"k": None}, {"k": "\ud800"}])
def test_tags_that_not_every_backend_holds_are_refused(tags: dict[str, object]) -> None:
    with pytest.raises(TagInvalid):
        check_user_tags(tags)


def test_with_declared_tags_others_are_refused() -> None:
    declared = {"team": frozenset({Stage.FINAL_TRAINING})}
    assert check_user_tags({"team": "x"}, declared=declared, stage=Stage.FINAL_TRAINING)
    with pytest.raises(UndeclaredTag):
        check_user_tags({"team": "x"}, declared=declared, stage=Stage.TRIAL)
    with pytest.raises(UndeclaredTag):
        check_user_tags({"other": "x"}, declared=declared)


def test_an_int_that_cannot_be_printed_is_refused() -> None:
    with pytest.raises(ParamInvalid):
        typed_param(2**20000)
