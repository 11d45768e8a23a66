from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.domain.data import DataSpec, EvalSpec
from studbook.domain.errors import IdentityError, StudyInvalid
from studbook.domain.search_space import DynamicSpace, SearchSpace, choice, float_range
from studbook.domain.study import (
    Budget,
    Direction,
    FoldAggregate,
    Objective,
    Pruning,
    Sampling,
    SeedPolicy,
    StudyDefinition,
    maximize,
    minimize,
    objective,
)
from studbook.domain.validation import ExplicitFolds, GivenValidation, Holdout, KFold, NoValidation

DIGEST = "sha256:" + "a" * 64
GIVEN: dict[str, Any] = {
    "name": "digits",
    "objectives": [["f1", "maximize"]],
    "search_space": {"lr": {"type": "float", "low": "1e-4", "high": 1, "log": True}},
}


def study(**change: Any) -> StudyDefinition:
    given = {
        "name": "digits",
        "objectives": maximize("f1"),
        "space": {"lr": float_range(1e-4, 1, log=True)},
    }
    return StudyDefinition(**{**given, **change})


def test_settings_and_code_say_the_same_study() -> None:
    assert StudyDefinition.parse(GIVEN) == study()
    assert StudyDefinition.parse(GIVEN).key == study().key


def test_given_defaults_agree_with_those_left_out() -> None:
    spelled = study(
        model_family="digits",
        data=DataSpec.undeclared(),
        evaluation=EvalSpec(name="default", version="1", options={}),
        fold_aggregate="mean",
        validation={"kind": "none"},
        sampling=Sampling(algorithm="tpe"),
        pruning=None,
        budget=None,
        seed_policy={"kind": "derived", "base": 0},
        revision=None,
    )
    assert spelled.key == study().key


SAME: list[dict[str, Any]] = [
    {"name": "other label", "model_family": "digits"},
    {"model_family": " DIGITS "},
    {"data": DataSpec.undeclared(name="a label")},
    {"objectives": [{"metric": "f1", "direction": Direction.MAXIMIZE}]},
    {"objectives": [objective("f1", "max")]},
    {"space": {"lr": {"type": "float", "low": np.float64(1e-4), "high": np.int64(1), "log": np.bool_(True)}}},
    {"sampling": Sampling(options={})},
]
OTHER: list[dict[str, Any]] = [
    {"data": DataSpec.declared("digits", "1")},
    {"evaluation": EvalSpec(version="2")},
    {"objectives": minimize("f1")},
    {"objectives": maximize("f2")},
    {"objectives": [maximize("f1"), minimize("loss")]},
    {"objectives": [minimize("loss"), maximize("f1")]},
    {"fold_aggregate": FoldAggregate.MEDIAN},
    {"fold_aggregate": FoldAggregate.WORST},
    {"validation": GivenValidation()},
    {"validation": GivenValidation(digest=DIGEST)},
    {"validation": Holdout(fraction=0.2)},
    {"validation": Holdout(fraction=0.3)},
    {"validation": Holdout(fraction=0.2, stratify=True)},
    {"validation": Holdout(fraction=0.2, seed=1)},
    {"validation": KFold(count=5)},
    {"validation": KFold(count=4)},
    {"validation": KFold(count=5, repeats=2)},
    {"validation": KFold(count=5, shuffle=False)},
    {"validation": KFold(count=5, stratify=True)},
    {"validation": KFold(count=5, seed=1)},
    {"validation": ExplicitFolds(digests=(DIGEST,))},
]
OTHER_IN_FAMILY: list[dict[str, Any]] = [
    {"model_family": "svm"},
    {"space": {"lr": float_range(1e-4, 1)}},
    {"space": {"rate": float_range(1e-4, 1, log=True)}},
    {"space": DynamicSpace(revision="1")},
    {"space": DynamicSpace(revision="2")},
    {"sampling": Sampling(algorithm="random")},
    {"sampling": Sampling(options={"n": 1})},
    {"sampling": Sampling(options={"n": None})},
    {"pruning": Pruning(algorithm="median")},
    {"pruning": Pruning(algorithm="median", options={"warmup": 1})},
    {"budget": Budget(unit="epochs", amount=3)},
    {"budget": Budget(unit="steps", amount=3)},
    {"budget": Budget(unit="epochs", amount=4)},
    {"budget": Budget(unit="epochs", amount=3, early_stopping={"patience": 2})},
    {"seed_policy": SeedPolicy.derived(1)},
    {"seed_policy": SeedPolicy.fixed(0)},
    {"seed_policy": SeedPolicy.none()},
    {"revision": "2"},
]


@pytest.mark.parametrize("change", SAME, ids=str)
def test_labels_and_spellings_do_not_change_the_key(change: dict[str, Any]) -> None:
    assert study(**change).key == study().key


def test_every_declared_field_changes_the_key() -> None:
    keys = {study(**change).key for change in [{}, *OTHER, *OTHER_IN_FAMILY]}
    assert len(keys) == 1 + len(OTHER) + len(OTHER_IN_FAMILY)


def test_family_is_what_makes_scores_comparable() -> None:
    assert {study(**change).family_key for change in [{}, *SAME, *OTHER_IN_FAMILY]} == {study().family_key}
    assert len({study(**change).family_key for change in [{}, *OTHER]}) == 1 + len(OTHER)


names = st.sampled_from(["lr", "dropout", "units", "kernel"])
distributions = st.one_of(
    st.builds(lambda low, width: float_range(low, low + width), st.floats(-9, 9), st.floats(1, 9)),
    st.builds(lambda values: choice(*values), st.lists(st.text(max_size=3) | st.integers(), min_size=2)),
)


@given(st.dictionaries(names, distributions, min_size=1), st.randoms(use_true_random=False))
def test_order_of_parameters_does_not_count(space: dict[str, Any], order: Any) -> None:
    items = list(space.items())
    order.shuffle(items)
    assert study(space=dict(items)).key == study(space=space).key


@given(st.dictionaries(names, distributions, min_size=1))
def test_definition_survives_json_and_pickle(space: dict[str, Any]) -> None:
    original = study(space=space, sampling=Sampling(options={"n": 3}), validation=KFold(count=3))
    for copy in (
        StudyDefinition.parse(original.model_dump(mode="json", by_alias=True)),
        StudyDefinition.model_validate_json(original.model_dump_json()),
        pickle.loads(pickle.dumps(original)),  # noqa: S301
    ):
        assert copy == original
        assert copy.key == original.key


def test_copy_with_another_field_has_another_key() -> None:
    original = study()
    assert original.key == study().key
    assert original.model_copy(update={"revision": "2"}).key == study(revision="2").key


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"name": "  "}, r"study\.name: the study's name is blank"),
        ({"objectives": []}, r"study\.objectives: .*at least 1"),
        ({"objectives": [["f1", "max"]]}, r"study\.objectives\[0\]\.direction: .*'maximize' or 'minimize'"),
        ({"objectives": [["f1"]]}, r"study\.objectives\[0\]"),
        ({"objectives": [["f1", "maximize"], ["f1", "minimize"]]}, "same metric"),
        ({"objectives": [["../f1", "maximize"]]}, "no metric name"),
        ({"objectives": [["f1_std", "maximize"]]}, "computed by studbook"),
        ({"objectives": [["a", "maximize"], ["b", "maximize"]], "pruning": {"algorithm": "median"}}, "prune"),
        ({"fold_aggregate": "mode"}, r"study\.fold_aggregate: .*'mean', 'median' or 'worst'"),
        ({"validation": {"kind": "kfold", "count": 1}}, r"study\.validation\.count: .*at least 2"),
        ({"validation": {"kind": "kfold", "cuont": 5}}, r"study\.validation: .*did you mean 'count'"),
        ({"validation": {"kind": "kfolds", "count": 5}}, r"study\.validation: .*did you mean 'kfold'"),
        ({"validation": {"count": 5}}, r"study\.validation: .*'kind'"),
        ({"validation": {"kind": "kfold", "count": 5, "seed": None}}, "shuffling needs a seed"),
        ({"validation": {"kind": "holdout", "fraction": 1}}, r"study\.validation\.fraction: .*below 1"),
        ({"validation": {"kind": "explicit", "digests": []}}, r"study\.validation\.digests"),
        ({"validation": {"kind": "explicit", "digests": [DIGEST, DIGEST]}}, "same split"),
        (
            {"validation": {"kind": "given", "digest": "abc"}},
            r"study\.validation\.digest: 'abc' is no content",
        ),
        ({"search_space": {}}, r"study\.search_space: the space is empty"),
        ({"search_space": "dynamic:"}, "revision"),
        ({"budget": {"unit": "epoch", "amount": 1}}, r"study\.budget\.unit: .*'epochs'"),
        ({"budget": {"unit": "epochs", "amount": 0}}, r"study\.budget\.amount: .*above 0"),
        ({"seed_policy": {"kind": "none", "base": 3}}, r"study\.seed_policy"),
        ({"seed_policy": {"kind": "fixed", "base": None}}, r"study\.seed_policy"),
        ({"model_family": "x" * 129}, r"study\.model_family: .*128"),
        ({"model_family": " "}, r"study\.model_family"),
        ({"revision": ""}, r"study\.revision"),
        ({"pruing": None}, r"^study: unknown field 'pruing' \(did you mean 'pruning'\?"),
        ({"trials": 40}, r"^study: unknown field 'trials'"),
    ],
    ids=str,
)
def test_invalid_study_is_refused_with_place_and_cure(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(StudyInvalid, match=problem) as refusal:
        StudyDefinition.parse({**GIVEN, **change})
    assert refusal.value.cure
    with pytest.raises(StudyInvalid):
        StudyDefinition(**{**GIVEN, **change})


def test_missing_fields_are_named() -> None:
    for name in GIVEN:
        with pytest.raises(StudyInvalid, match=rf"study\.{name}: Field required"):
            StudyDefinition.parse({key: value for key, value in GIVEN.items() if key != name})


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (
            {"search_space": {"lr": {"type": "float", "low": float("nan"), "high": 1}}},
            "study.search_space.lr.low",
        ),
        ({"sampling": {"options": {"weights": np.zeros(2)}}}, "study.sampling.options.weights"),
        (
            {"budget": {"unit": "epochs", "amount": 1, "early_stopping": {"rule": len}}},
            "study.budget.early_stopping.rule",
        ),
        ({"evaluation": {"options": {"f": [1j]}}}, "study.evaluation.options.f[0]"),
        ({"data": {"label_map": {1.5: "a"}}}, "study.data.label_map"),
    ],
)
def test_value_without_canonical_form_is_named_by_its_place(change: dict[str, Any], place: str) -> None:
    with pytest.raises(IdentityError) as refusal:
        StudyDefinition.parse({**GIVEN, **change})
    assert refusal.value.details["path"] == place


def test_model_family_is_normalised_and_never_cut() -> None:
    assert study(model_family=" Bert-Base\u0065\u0301 ").model_family == "bert-bas\u0065\u00e9"
    assert study(model_family="x" * 128).model_family == "x" * 128
    assert study(name="Digits").model_family == "digits"


def test_seed_of_unshuffled_folds_is_null() -> None:
    assert KFold(count=3, shuffle=False, seed=7) == KFold(count=3, shuffle=False)
    assert KFold(count=3, shuffle=False).payload()["seed"] is None


def test_dynamic_space_may_be_given_as_text() -> None:
    assert study(space="dynamic:r1").key == study(space=DynamicSpace(revision="r1")).key


def test_space_may_be_given_ready() -> None:
    assert study(space=SearchSpace.parse(GIVEN["search_space"])).key == study().key


def test_objective_shorthands() -> None:
    assert objective("f1", "max") == maximize("f1") == Objective(metric="f1", direction=Direction.MAXIMIZE)
    assert objective("loss", "minimize") == minimize("loss")
    with pytest.raises(StudyInvalid, match="direction"):
        objective("loss", "down")


def test_definition_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        study().name = "other"  # type: ignore[misc]
    assert isinstance(study().validation, NoValidation)
