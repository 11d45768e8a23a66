"""What a decision was made from: the canonical `inputs.json`, its digests, and back again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import rfc8785

from ..errors import SelectionRecordCorrupt
from ..run_view import RunView
from ..stage import Stage
from .plan import SelectionPlan
from .pool import Pool
from .rejection import Rejection, RejectionReason
from .run_record import run_from_json, run_json
from .warning import SelectionWarning, WarningCode

RULES = 1
"""The version of the formulas. A change of any of them is a new version; old ones stay implemented."""


@dataclass(frozen=True, slots=True)
class QuerySet:
    """One query's FINISHED, active runs: how many, and Σ SHA-256(ref NUL ended_at) mod 2²⁵⁶ as 64 hex."""

    stage: Stage
    experiments: tuple[str, ...]
    count: int
    digest: str


@dataclass(frozen=True, slots=True)
class ScreenedReason:
    """Runs that were screened for one reason: `trials` of `count` are trials; `listed` are the first refs."""

    count: int
    trials: int
    digest: str
    listed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Screened:
    """What does not take part, and cannot change the outcome: no part of the selection key.

    `open_studies` are studies with RUNNING trials; `refits` explain why a trial has no refit.
    """

    reasons: dict[RejectionReason, ScreenedReason] = field(default_factory=dict)
    open_studies: tuple[str, ...] = ()
    refits: tuple[RunView, ...] = ()
    warnings: tuple[SelectionWarning, ...] = ()


@dataclass(frozen=True)
class Inputs:
    """Everything that a decision reads."""

    plan: SelectionPlan
    runs: tuple[RunView, ...]
    cited: tuple[RunView, ...]
    candidate_set: tuple[QuerySet, ...]
    screened: Screened
    rules: int = RULES

    @cached_property
    def pool(self) -> Pool:
        """The runs by stage."""
        return Pool(
            trials=tuple(run for run in self.runs if run.stage is Stage.TRIAL),
            refits=tuple(run for run in self.runs if run.stage is Stage.REFIT),
            benchmarks=tuple(run for run in self.runs if run.stage is Stage.BENCHMARK),
            cited=self.cited,
            other_refits=self.screened.refits,
        )

    def screened_rejections(self) -> tuple[Rejection, ...]:
        """The listed screened runs as rejections."""
        return tuple(
            Rejection(ref, reason, step="screen")
            for reason, screened in sorted(self.screened.reasons.items())
            for ref in screened.listed
        )

    def deciding(self) -> dict[str, Any]:
        """The part that can change the outcome."""
        plan = self.plan.model_dump(mode="json", by_alias=True)
        return {
            "rules": self.rules,
            "scope": plan["scope"],
            "policy": plan["policy"],
            "runs": [run_json(run) for run in self.runs],
            "cited": [run_json(run) for run in self.cited],
            "candidate_set": {
                "complete": True,
                "queries": [
                    {
                        "stage": query.stage.value,
                        "experiments": list(query.experiments),
                        "count": query.count,
                        "digest": query.digest,
                    }
                    for query in self.candidate_set
                ],
            },
        }

    def to_bytes(self) -> bytes:
        """`inputs.json`: RFC 8785."""
        return rfc8785.dumps({**self.deciding(), "screened": _screened_json(self.screened)})

    @cached_property
    def selection_key(self) -> str:
        """`sha256:<hex>` of the deciding part."""
        return sha256(rfc8785.dumps(self.deciding()))

    @classmethod
    def from_bytes(cls, content: bytes) -> Inputs:
        """The inputs of a record; raises SelectionRecordCorrupt when they do not parse."""
        try:
            return _parse(json.loads(content))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SelectionRecordCorrupt(
                "the selection's inputs.json does not parse", cure="select again"
            ) from error


def sha256(content: bytes) -> str:
    """`sha256:<64 hex>`."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass(slots=True)
class RunSet:
    """How many runs were added, and Σ SHA-256(ref NUL ended_at) mod 2²⁵⁶ of them: the same in any order."""

    count: int = 0
    total: int = 0

    @classmethod
    def of(cls, runs: Iterable[RunView]) -> RunSet:
        """The set of these runs."""
        found = cls()
        for run in runs:
            found.add(run)
        return found

    def add(self, run: RunView) -> None:
        """Count the run in."""
        text = f"{run.ref}\0{'' if run.ended_at is None else run.ended_at}"
        self.count += 1
        self.total += int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")

    @property
    def digest(self) -> str:
        """The sum as 64 hex."""
        return f"{self.total % 2**256:064x}"


def reasons_json(reasons: Mapping[RejectionReason, ScreenedReason]) -> dict[str, Any]:
    """The screened runs by reason, as the record has them."""
    return {
        reason.value: {
            "count": screened.count,
            "trials": screened.trials,
            "digest": screened.digest,
            "listed": list(screened.listed),
        }
        for reason, screened in reasons.items()
    }


def warning_json(warning: SelectionWarning) -> dict[str, Any]:
    """A warning, as the record has it."""
    return {"code": warning.code.value, "refs": list(warning.refs), "detail": warning.detail}


def _screened_json(screened: Screened) -> dict[str, Any]:
    return {
        "reasons": reasons_json(screened.reasons),
        "open_studies": list(screened.open_studies),
        "refits": [run_json(run) for run in screened.refits],
        "warnings": [warning_json(warning) for warning in screened.warnings],
    }


def _parse(record: Mapping[str, Any]) -> Inputs:
    screened = record["screened"]
    return Inputs(
        plan=SelectionPlan.model_validate({"scope": record["scope"], "policy": record["policy"]}),
        runs=tuple(run_from_json(run) for run in record["runs"]),
        cited=tuple(run_from_json(run) for run in record["cited"]),
        candidate_set=tuple(
            QuerySet(Stage(query["stage"]), tuple(query["experiments"]), query["count"], query["digest"])
            for query in record["candidate_set"]["queries"]
        ),
        screened=Screened(
            reasons={
                RejectionReason(reason): ScreenedReason(
                    found["count"], found["trials"], found["digest"], tuple(found["listed"])
                )
                for reason, found in sorted(screened["reasons"].items())
            },
            open_studies=tuple(screened["open_studies"]),
            refits=tuple(run_from_json(run) for run in screened["refits"]),
            warnings=tuple(
                SelectionWarning(WarningCode(w["code"]), tuple(w["refs"]), w["detail"])
                for w in screened["warnings"]
            ),
        ),
        rules=record["rules"],
    )
