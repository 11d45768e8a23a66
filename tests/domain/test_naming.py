"""Names are never blank, always in the charset, never longer than allowed."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from studbook.domain.errors import ConfigError, NameInvalid
from studbook.domain.naming import (
    NamingTemplates,
    check_experiment_name,
    check_run_name,
    experiment_name,
)
from studbook.domain.stage import Stage

HEX = "0123456789abcdef" * 4
TOKENS = [
    "project",
    "environment",
    "model",
    "attempt",
    "study_name",
    "study",
    "trial",
    "trial_number",
    "fold",
]
TOKENS += ["bench", "device", "selection", "generation", "spec", "exec", "variant", "conv", "format"]

_value = st.none() | st.text(max_size=300) | st.integers(0, 10**5) | st.just(f"tk3:{HEX}")


@given(
    st.sampled_from(Stage),
    st.dictionaries(st.sampled_from(TOKENS), _value),
    st.booleans(),
    st.integers(70, 250),
    st.integers(6, 16),
)
def test_a_run_name_is_never_blank_and_always_portable(
    stage: Stage, tokens: dict[str, object], pointer: bool, longest: int, digits: int
) -> None:
    if pointer:
        tokens = {**tokens, "pointer": "family/svm"}
    name = NamingTemplates(hex_length=digits, max_length=longest).run_name(stage, tokens)
    assert re.fullmatch(r"[A-Za-z0-9._-]+", name)
    assert len(name) <= longest


@pytest.mark.parametrize(
    ("stage", "tokens", "name"),
    [
        (
            Stage.TRIAL,
            {"model": "svm", "study": f"sk3:{HEX}", "trial_number": 7, "attempt": 1},
            "svm_trial_01234567_t0007",
        ),
        (Stage.TRIAL, {"model": "svm", "study": f"sk3:{HEX}", "attempt": 2}, "svm_trial_01234567_tna_2"),
        (
            Stage.SWEEP,
            {"study_name": " é/ 1 ", "model": "bert-base", "study": HEX},
            "e_1_bert-base_sweep_01234567",
        ),
        (Stage.SELECTION, {"project": "p", "pointer": "family/svm", "generation": 3}, "p_family_svm_g3"),
        (Stage.SELECTION, {"project": "demo", "selection": f"sha256:{HEX}"}, "demo_selection_01234567"),
        (Stage.FINAL_TRAINING, {"model": "???", "variant": 2}, "na_final_na_na_v2"),
    ],
)
def test_default_run_names(stage: Stage, tokens: dict[str, object], name: str) -> None:
    assert NamingTemplates().run_name(stage, tokens) == name


def test_the_study_name_is_shortened_first_and_keys_never() -> None:
    tokens = {"study_name": "s" * 300, "model": "m" * 30, "study": HEX}
    name = NamingTemplates(max_length=60).run_name(Stage.SWEEP, tokens)
    assert name == "s" * 14 + "_" + "m" * 30 + "_sweep_" + HEX[:8]
    tokens["model"] = "m" * 300
    name = NamingTemplates(max_length=60).run_name(Stage.SWEEP, tokens)
    assert name == "s_" + "m" * 43 + "_sweep_" + HEX[:8]


@pytest.mark.parametrize(
    "template",
    [
        "{nope}",
        "{fold}",
        "{}",
        "{model",
        "{model!r}",
        "{model:>9}",
        "{model}/x",
        "{version}",
        "",
        "{{x}}",
        "x" * 201,
    ],
)
def test_a_template_that_the_stage_cannot_have_is_refused_at_load(template: str) -> None:
    with pytest.raises(ConfigError):
        NamingTemplates(runs={Stage.TRIAL: template})


def test_templates_can_be_replaced_one_by_one() -> None:
    ours = NamingTemplates(runs={Stage.TRIAL: "{project}-{stage}{version}"})
    assert ours.run_name(Stage.TRIAL, {"project": "demo"}) == "demo-hpo_trial"
    assert ours.run_name(Stage.CONVERSION, {}) == "na_na_na"


@pytest.mark.parametrize(
    "options",
    [{"hex_length": 5}, {"hex_length": 17}, {"max_length": 15}, {"max_length": 251}, {"max_length": 16}],
)
def test_lengths_out_of_range_or_too_short_for_the_templates_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        NamingTemplates(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("template", ["{project}-{nope}", "_{project}", "{project}/{group}", "", "{project"])
def test_an_experiment_template_that_cannot_be_used_is_refused(template: str) -> None:
    with pytest.raises(ConfigError):
        NamingTemplates(experiment=template)
    with pytest.raises(ConfigError):
        experiment_name(template, project="demo", group="hpo")


def test_given_run_names_are_stripped_and_checked() -> None:
    assert check_run_name("  my run ") == "my run"
    for bad in ("", "  \n", "x" * 251, "a\nb", "\ud800"):
        with pytest.raises(NameInvalid):
            check_run_name(bad)


@given(st.text(max_size=300), st.text(max_size=40), st.text(max_size=300) | st.none())
def test_experiment_names_are_always_portable(project: str, group: str, model: str | None) -> None:
    name = experiment_name("{project}-{group}-{model}", project=project, group=group, model=model)
    assert check_experiment_name(name) == name
    assert len(name) <= 255


@given(st.text(max_size=300), st.text(max_size=300))
def test_two_values_never_share_an_experiment(one: str, other: str) -> None:
    assume(one != other)
    names = {experiment_name("{project}-{group}", project=value, group="hpo") for value in (one, other)}
    assert len(names) == 2


def test_plain_values_stay_as_they_are() -> None:
    assert experiment_name("{project}-{group}", project="my_demo", group="hpo") == "my_demo-hpo"


@pytest.mark.parametrize("name", ["", "a/b", "-a", "x" * 257, "é"])
def test_an_unportable_experiment_name_is_refused_with_a_valid_proposal(name: str) -> None:
    with pytest.raises(NameInvalid) as caught:
        check_experiment_name(name)
    proposal = caught.value.cure.rpartition(" ")[2]
    assert check_experiment_name(proposal) == proposal
