"""The result of a selection: who won, against whom, by how much, and from what."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import rfc8785

from .candidate import Candidate
from .inputs import Inputs, reasons_json, sha256, warning_json
from .margins import FlipPoint, Margins
from .order import round12
from .refit_mapping import MappingBasis
from .rejection import Rejection
from .utility import Normalisation
from .warning import SelectionWarning

SCHEMA = "studbook.selection/1"


@dataclass(frozen=True, slots=True)
class Winner:
    """The selected model. Runs are named by ref; `artifact_run` is the run whose files are served. `tags` holds the
    `dataset_version` of an Azure ML sweep's child, where anything tells it.
    """

    trial: str
    refit: str | None
    artifact_run: str
    family: str
    study_key: str | None
    trial_key: str | None
    basis: MappingBasis
    protocol_fp: str | None
    metrics: dict[str, float]
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Contender:
    """One of the ranking. `u` and `contribution` (w·u) are by alias, where the policy has them."""

    rank: int
    ref: str
    refit: str | None
    artifact_run: str
    family: str
    score: float | None
    u: dict[str, float]
    values: dict[str, float]
    se: dict[str, float]
    contribution: dict[str, float]


@dataclass(frozen=True)
class SelectionResult:
    """A decision. The body is the same on every backend; `locations` (backend ids by ref) stay outside it."""

    inputs: Inputs
    funnel: dict[str, int]
    winner: Winner
    ranking: tuple[Contender, ...]
    dropped: tuple[Rejection, ...]
    rejected: tuple[Rejection, ...]
    normalisation: dict[str, Normalisation]
    margins: Margins
    warnings: tuple[SelectionWarning, ...]
    environment: dict[str, str] = field(default_factory=dict)
    locations: dict[str, str] = field(default_factory=dict, compare=False)

    @property
    def selection_key(self) -> str:
        """`sha256:<hex>` of what can change the outcome."""
        return self.inputs.selection_key

    @property
    def policy(self) -> str:
        """The policy's name."""
        return self.inputs.plan.policy.name

    @cached_property
    def inputs_json(self) -> bytes:
        """`inputs.json`."""
        return self.inputs.to_bytes()

    @cached_property
    def inputs_digest(self) -> str:
        """`sha256:<hex>` of `inputs.json`."""
        return sha256(self.inputs_json)

    @property
    def margin(self) -> float | None:
        """How far the scores of winner and runner-up are apart; None without scores or runner-up."""
        if len(self.ranking) < 2:
            return None
        first, second = self.ranking[0].score, self.ranking[1].score
        return None if first is None or second is None else round12(abs(first - second))

    def body(self) -> bytes:
        """`selection.json`: RFC 8785."""
        return rfc8785.dumps(self.document())

    def document(self) -> dict[str, Any]:
        """The body as JSON values."""
        deciding = self.inputs.deciding()
        return {
            "schema": SCHEMA,
            "rules": self.inputs.rules,
            "scope": deciding["scope"],
            "policy": deciding["policy"],
            "candidate_set": deciding["candidate_set"],
            "funnel": self.funnel,
            "winner": _winner_json(self.winner),
            "ranking": [_contender_json(contender) for contender in self.ranking],
            "dropped": [rejection_json(rejection) for rejection in self.dropped],
            "rejected": [rejection_json(rejection) for rejection in self.rejected],
            "screened": reasons_json(self.inputs.screened.reasons),
            "environment": self.environment,
            "normalisation": {alias: _normalisation_json(n) for alias, n in self.normalisation.items()},
            "margins": _margins_json(self.margins),
            "warnings": [warning_json(warning) for warning in self.warnings],
            "inputs_digest": self.inputs_digest,
        }


def winner_of(candidate: Candidate) -> Winner:
    """A candidate as the winner."""
    version = candidate.trial.dataset_version
    return Winner(
        trial=candidate.ref,
        refit=candidate.mapping.refit,
        artifact_run=candidate.artifact_run.ref,
        family=candidate.family,
        study_key=candidate.trial.study_key,
        trial_key=candidate.trial.trial_key,
        basis=candidate.mapping.basis,
        protocol_fp=candidate.mapping.protocol_fp,
        metrics=values_of(candidate),
        tags={"dataset_version": version} if version else {},
    )


def values_of(candidate: Candidate) -> dict[str, float]:
    """The candidate's values by alias."""
    return {alias: measured.value for alias, measured in candidate.values.items()}


def rejection_json(rejection: Rejection) -> dict[str, Any]:
    """A rejection, as the record has it."""
    return {
        "ref": rejection.ref,
        "reason": rejection.reason.value,
        "detail": rejection.detail,
        "step": rejection.step,
    }


def _winner_json(winner: Winner) -> dict[str, Any]:
    return {
        "trial": winner.trial,
        "refit": winner.refit,
        "artifact_run": winner.artifact_run,
        "family": winner.family,
        "study_key": winner.study_key,
        "trial_key": winner.trial_key,
        "mapping": {"basis": winner.basis.value, "protocol_fp": winner.protocol_fp},
        "metrics": winner.metrics,
        **({"tags": winner.tags} if winner.tags else {}),
    }


def _contender_json(contender: Contender) -> dict[str, Any]:
    return {
        "rank": contender.rank,
        "ref": contender.ref,
        "refit": contender.refit,
        "artifact_run": contender.artifact_run,
        "family": contender.family,
        "score": contender.score,
        "u": contender.u,
        "values": contender.values,
        "se": contender.se,
        "contribution": contender.contribution,
    }


def _normalisation_json(n: Normalisation) -> dict[str, Any]:
    return {
        "scale": n.scale.value,
        "transform": n.transform.value,
        "best": round12(n.best),
        "worst": round12(n.worst),
        "range": round12(n.range),
        "min_range": n.min_range,
        "weight": round12(n.weight),
    }


def _margins_json(margins: Margins) -> dict[str, Any]:
    return {
        "weights": {
            alias: {"weight": m.weight, "lower": _point(m.lower), "upper": _point(m.upper)}
            for alias, m in margins.weights.items()
        },
        "bands": {
            label: {"allowed": m.allowed, "lower": _point(m.lower), "upper": _point(m.upper)}
            for label, m in margins.bands.items()
        },
        "limits": {
            label: [{"metric": m.metric, "bound": m.bound, "slack": m.slack} for m in found]
            for label, found in margins.limits.items()
        },
    }


def _point(point: FlipPoint | None) -> list[float | str] | None:
    return None if point is None else list(point)
