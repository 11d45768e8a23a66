from __future__ import annotations

import importlib.util
from itertools import count
from typing import Any

import pytest
from hypothesis import given

from studbook.adapters.optuna.pruners import PRUNERS, pruner_of
from studbook.adapters.optuna.sampler import OptunaSampler
from studbook.adapters.optuna.samplers import SAMPLERS
from studbook.domain.errors import StudyInvalid
from studbook.domain.search_space import SearchSpace, choice, float_range, int_range
from studbook.domain.study import StudyDefinition, maximize, minimize
from studbook.ports.contract.sampler import study
from studbook.ports.contract.search_spaces import search_spaces
from studbook.ports.sampler import SampledStudy

SPACE = SearchSpace.parse(
    {"lr": float_range(0, 1, step=0.25), "depth": int_range(1, 4), "kind": choice("a", "b")}
)
INSTALLED = [
    name
    for name, algorithm in SAMPLERS.items()
    if all(importlib.util.find_spec(package) is not None for package in algorithm.packages)
]
PRUNER_OPTIONS: dict[str, dict[str, Any]] = {
    "percentile": {"percentile": 25},
    "threshold": {"upper": 1},
    "patient": {"patience": 2},
}


def opened(**fields: Any) -> SampledStudy:
    return OptunaSampler(lambda _: None).open(study(SPACE, **fields), 3)


@pytest.mark.parametrize("name", INSTALLED)
@pytest.mark.filterwarnings("error")
def test_every_installed_sampler_searches_without_a_warning(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = opened(sampling={"algorithm": name})
    for _ in range(15):
        proposal = asked.ask()
        assert proposal is not None
        assert repr(SPACE.typed(proposal.params)) == repr(proposal.params)
        asked.complete(proposal.number, [proposal.number / 15], {})
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", INSTALLED)
def test_every_installed_sampler_stays_in_any_space(name: str) -> None:
    revisions = count()
    sampler = OptunaSampler(lambda _: None)

    @given(search_spaces(max_parameters=3))
    def property_of(space: SearchSpace) -> None:
        definition = study(space, sampling={"algorithm": name}, revision=str(next(revisions)))
        try:
            asked = sampler.open(definition, 5)
        except StudyInvalid:
            assert name == "grid"
            return
        for number in range(2):
            if (proposal := asked.ask()) is not None:
                assert repr(space.typed(proposal.params)) == repr(proposal.params)
                asked.complete(number, [1.0], {})

    property_of()


@pytest.mark.parametrize("name", sorted(set(SAMPLERS) - set(INSTALLED)))
def test_a_sampler_whose_package_is_missing_says_which(name: str) -> None:
    with pytest.raises(StudyInvalid, match=f"{name}.*not installed") as caught:
        opened(sampling={"algorithm": name})
    assert "pip install" in caught.value.cure


@pytest.mark.parametrize(
    ("fields", "cure"),
    [
        ({"sampling": {"algorithm": "rando"}}, "did you mean 'random'"),
        ({"sampling": {"algorithm": "tpe", "options": {"n_startup": 1}}}, "did you mean 'n_startup_trials'"),
        ({"sampling": {"algorithm": "tpe", "options": {"n_startup_trials": "ten"}}}, "pass int"),
        ({"sampling": {"algorithm": "tpe", "options": {"n_startup_trials": True}}}, "pass int"),
        ({"sampling": {"algorithm": "tpe", "options": {"seed": 1}}}, "valid: "),
        ({"sampling": {"algorithm": "random", "options": {"n": 1}}}, "remove it"),
        ({"sampling": {"algorithm": "nsgaii", "options": {"population_size": 1}}}, "correct the value"),
        ({"pruning": {"algorithm": "medium"}}, "did you mean 'median'"),
        ({"pruning": {"algorithm": "percentile"}}, "add percentile"),
        ({"pruning": {"algorithm": "percentile", "options": {"percentile": 200}}}, "correct the value"),
        (
            {"pruning": {"algorithm": "patient", "options": {"patience": 1, "wrapped": {"name": "x"}}}},
            "algorithm",
        ),
        (
            {
                "pruning": {
                    "algorithm": "patient",
                    "options": {"patience": 1, "wrapped": {"algorithm": "media"}},
                }
            },
            "did you mean 'median'",
        ),
    ],
)
def test_options_that_cannot_be_honoured_are_refused_with_the_nearest(
    fields: dict[str, Any], cure: str
) -> None:
    with pytest.raises(StudyInvalid) as caught:
        opened(**fields)
    assert cure in caught.value.cure


def test_options_have_the_types_that_optuna_wants() -> None:
    opened(sampling={"algorithm": "tpe", "options": {"n_startup_trials": 4.0, "n_ei_candidates": None}})
    opened(pruning={"algorithm": "percentile", "options": {"percentile": 25}})


@pytest.mark.parametrize("name", sorted(PRUNERS))
@pytest.mark.filterwarnings("error")
def test_every_pruner_judges_without_a_warning(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    asked = opened(pruning={"algorithm": name, "options": PRUNER_OPTIONS.get(name, {})})
    for number in range(3):
        assert asked.ask() is not None
        for step in (1, 2, 3):
            asked.report(number, 0.5, step)
            asked.should_prune(number)
        asked.complete(number, [0.5], {})
    assert capfd.readouterr().err == ""


def test_a_patient_pruner_wraps_another() -> None:
    wrapped = pruner_of(
        "patient", {"patience": 1, "wrapped": {"algorithm": "threshold", "options": {"upper": 1}}}
    )
    assert type(wrapped).__name__ == "PatientPruner"


def test_a_threshold_prunes_at_once() -> None:
    asked = opened(pruning={"algorithm": "threshold", "options": {"lower": 0.2}})
    asked.ask()
    asked.report(0, 0.1, 1)
    assert asked.should_prune(0)


def test_a_sampler_of_one_objective_refuses_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studbook.adapters.optuna.algorithm.importlib.util.find_spec", lambda _: object())
    definition = StudyDefinition(
        name="two",
        objectives=(maximize("score"), minimize("latency")),
        space=SPACE,
        sampling={"algorithm": "cmaes"},
    )
    with pytest.raises(StudyInvalid, match="one objective"):
        OptunaSampler(lambda _: None).open(definition, 1)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_optuna_cannot_take_is_refused(seed: int) -> None:
    with pytest.raises(StudyInvalid):
        OptunaSampler(lambda _: None).open(study(SPACE), seed)
