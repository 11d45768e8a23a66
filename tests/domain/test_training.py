from __future__ import annotations

from typing import Any

import pytest

from studbook.domain.conversion import ConversionSpec, Tool
from studbook.domain.data import DataSpec, EvalSpec
from studbook.domain.errors import InvalidInput
from studbook.domain.study import Budget
from studbook.domain.training import CodeState, ExecSpec, Init, TrainingSpec
from studbook.domain.validation import GivenValidation, Holdout

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
RUN = "rk3:" + "b" * 64
SPEC: dict[str, Any] = {
    "model_family": "svm",
    "params": {"C": 1.0},
    "data": DataSpec.declared("digits", "1").key,
    "eval": EvalSpec().key,
}
EXEC: dict[str, Any] = {"python": "3.11", "device": "cpu"}
CONVERSION: dict[str, Any] = {"source": DIGEST, "format": "onnx"}


def test_every_field_of_the_spec_counts() -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"model_family": "mlp"},
        {"params": {"C": 2}},
        {"params": {"C": "1"}},
        {"data": DataSpec.undeclared().key},
        {"eval": EvalSpec(version="2").key},
        {"validation": Holdout(fraction=0.1)},
        {"validation": GivenValidation()},
        {"budget": Budget(unit="epochs", amount=1)},
        {"seed": 0},
        {"init": Init(kind="refit", source=RUN)},
        {"init": Init(kind="final_training", source=RUN)},
        {"init": Init(kind="external", source=DIGEST)},
    ]
    assert len({TrainingSpec(**{**SPEC, **change}).key for change in changes}) == len(changes)


def test_spelling_of_family_and_params_does_not_count() -> None:
    spelled = TrainingSpec(**{**SPEC, "model_family": " SVM", "params": {"C": 1}})
    assert spelled.key == TrainingSpec(**SPEC).key


@pytest.mark.parametrize(
    ("kind", "source"),
    [("scratch", RUN), ("refit", None), ("refit", DIGEST), ("external", RUN), ("external", None)],
)
def test_init_takes_what_its_kind_says(kind: Any, source: str | None) -> None:
    with pytest.raises(InvalidInput, match="run key"):
        Init(kind=kind, source=source)


def test_init_reads_its_source_from_settings() -> None:
    assert Init.parse({"kind": "refit", "from": RUN}) == Init(kind="refit", source=RUN)


def test_every_field_of_the_execution_counts() -> None:
    clean = CodeState(revision="abc")
    changes: list[dict[str, Any]] = [
        {},
        {"code": clean},
        {"code": CodeState(revision="abd")},
        {"code": CodeState(revision="abc", dirty=True, diff=DIGEST)},
        {"code": CodeState(revision="abc", dirty=True, diff=OTHER)},
        {"python": "3.12"},
        {"packages": DIGEST},
        {"precision": "fp16"},
        {"deterministic": True},
        {"deterministic": False},
        {"device": "cuda"},
    ]
    assert len({ExecSpec(**{**EXEC, **change}).key for change in changes}) == len(changes)


@pytest.mark.parametrize("given", [{"dirty": True}, {"diff": DIGEST}])
def test_changed_code_is_known_by_its_diff(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="diff"):
        CodeState(revision="abc", **given)


def test_python_is_named_without_its_patch_level() -> None:
    with pytest.raises(InvalidInput, match="python"):
        ExecSpec(python="3.11.7", device="cpu")


def test_every_field_of_a_conversion_counts() -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"source": OTHER},
        {"format": "openvino"},
        {"options": {"opset": 17}},
        {"tool": Tool(name="torch", version="2.5")},
        {"tool": Tool(name="torch", version="2.6")},
    ]
    assert len({ConversionSpec(**{**CONVERSION, **change}).key for change in changes}) == len(changes)


@pytest.mark.parametrize("change", [{"format": "ONNX"}, {"format": ""}, {"source": "model"}])
def test_unknown_forms_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        ConversionSpec(**{**CONVERSION, **change})
