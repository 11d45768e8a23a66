"""Which Optuna pruner an algorithm's name stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import JsonValue

from ...domain.errors import StudyInvalid
from .algorithm import Algorithm, algorithm_named, build, typed_options

if TYPE_CHECKING:
    from optuna.pruners import BasePruner

_WHEN: Mapping[str, tuple[type, ...]] = {"n_warmup_steps": (int,), "interval_steps": (int,)}
_AGAINST: Mapping[str, tuple[type, ...]] = {"n_startup_trials": (int,), **_WHEN, "n_min_trials": (int,)}

PRUNERS: Mapping[str, Algorithm] = {
    "none": Algorithm("NopPruner"),
    "median": Algorithm("MedianPruner", _AGAINST),
    "percentile": Algorithm(
        "PercentilePruner", {"percentile": (float,), **_AGAINST}, required=frozenset({"percentile"})
    ),
    "threshold": Algorithm("ThresholdPruner", {"lower": (float,), "upper": (float,), **_WHEN}),
    "hyperband": Algorithm(
        "HyperbandPruner",
        {
            "min_resource": (int,),
            "max_resource": (int, str),
            "reduction_factor": (int,),
            "bootstrap_count": (int,),
        },
    ),
    "successive_halving": Algorithm(
        "SuccessiveHalvingPruner",
        {
            "min_resource": (int, str),
            "reduction_factor": (int,),
            "min_early_stopping_rate": (int,),
            "bootstrap_count": (int,),
        },
    ),
    "patient": Algorithm(
        "PatientPruner",
        {"patience": (int,), "min_delta": (float,), "wrapped": (dict,)},
        required=frozenset({"patience"}),
    ),
    "wilcoxon": Algorithm("WilcoxonPruner", {"p_threshold": (float,), "n_startup_steps": (int,)}),
}


def pruner_of(name: str, options: Mapping[str, JsonValue]) -> BasePruner:
    """The pruner. `patient` wraps another: `wrapped: {algorithm, options}`, or none."""
    from optuna import pruners

    algorithm = algorithm_named(name, PRUNERS, "pruner")
    given = typed_options(name, algorithm, options, "pruner")
    if name == "patient":
        given["wrapped_pruner"] = _wrapped(given.pop("wrapped", None))
    pruner: BasePruner = build(name, algorithm, given, pruners, "pruner")
    return pruner


def _wrapped(inner: dict[str, JsonValue] | None) -> BasePruner | None:
    if inner is None:
        return None
    name, options = inner.get("algorithm"), inner.get("options")
    if (
        not isinstance(name, str)
        or not isinstance(options or {}, dict)
        or inner.keys() - {"algorithm", "options"}
    ):
        raise StudyInvalid(
            "option 'wrapped' of the pruner 'patient' is no pruner",
            cure='pass {"algorithm": …, "options": {…}}',
        )
    return pruner_of(name, options if isinstance(options, dict) else {})
