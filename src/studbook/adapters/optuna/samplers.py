"""Which Optuna sampler an algorithm's name stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import JsonValue

from ...domain.errors import StudyInvalid
from .algorithm import Algorithm, algorithm_named, build, typed_options

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

_GENETIC: Mapping[str, tuple[type, ...]] = {
    "population_size": (int,),
    "mutation_prob": (float,),
    "crossover_prob": (float,),
    "swapping_prob": (float,),
}

SAMPLERS: Mapping[str, Algorithm] = {
    "tpe": Algorithm(
        "TPESampler",
        {
            "n_startup_trials": (int,),
            "n_ei_candidates": (int,),
            "multivariate": (bool,),
            "group": (bool,),
            "constant_liar": (bool,),
        },
    ),
    "random": Algorithm("RandomSampler"),
    "grid": Algorithm("RandomSampler"),  # never asked: GridOrder chooses
    "cmaes": Algorithm(
        "CmaEsSampler",
        {
            "sigma0": (float,),
            "n_startup_trials": (int,),
            "popsize": (int,),
            "consider_pruned_trials": (bool,),
            "use_separable_cma": (bool,),
            "with_margin": (bool,),
            "lr_adapt": (bool,),
        },
        preset={"warn_independent_sampling": False},
        several_objectives=False,
        packages=("cmaes",),
    ),
    "gp": Algorithm(
        "GPSampler",
        {"n_startup_trials": (int,), "deterministic_objective": (bool,)},
        preset={"warn_independent_sampling": False},
        packages=("scipy", "torch"),
    ),
    "nsgaii": Algorithm("NSGAIISampler", _GENETIC),
    "nsgaiii": Algorithm("NSGAIIISampler", {**_GENETIC, "dividing_parameter": (int,)}),
    "qmc": Algorithm(
        "QMCSampler",
        {"qmc_type": (str,), "scramble": (bool,)},
        preset={"warn_independent_sampling": False, "warn_asynchronous_seeding": False},
        packages=("scipy",),
    ),
}


def sampler_of(
    name: str, options: Mapping[str, JsonValue], *, objectives: int, seed: int | None
) -> BaseSampler:
    """The seeded sampler. Raises StudyInvalid."""
    from optuna import samplers

    algorithm = algorithm_named(name, SAMPLERS, "sampler")
    if objectives > 1 and not algorithm.several_objectives:
        raise StudyInvalid(
            f"the sampler {name!r} knows one objective, and the study has {objectives}",
            cure="use tpe, nsgaii or nsgaiii, or one objective",
        )
    given = typed_options(name, algorithm, options, "sampler")
    sampler: BaseSampler = build(name, algorithm, {**given, "seed": seed}, samplers, "sampler")
    return sampler
