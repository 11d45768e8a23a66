"""Candidate hygiene: the checks on single runs, in their order, and one candidate per trial."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..run import RunStatus
from ..run_view import KeySchema, RunView
from ..stage import Stage
from ..stored_run import Lifecycle
from ..study import Direction
from .metric import MetricFrom, MetricSpec
from .order import newest_first
from .rejection import Rejection, RejectionReason
from .sections import ScopeConfig

TrialIdentity = tuple[KeySchema | None, str | None, str | None, str]

Fault = tuple[RejectionReason, str]
_DIRECTIONS = frozenset(Direction)


def not_taking_part(run: RunView, scope: ScopeConfig) -> Fault | None:
    """Checks 1 to 3: lifecycle, status and trial state, key schema."""
    if run.lifecycle is not Lifecycle.ACTIVE:
        return RejectionReason.DELETED, f"lifecycle {run.lifecycle}"
    if run.status is not RunStatus.FINISHED:
        return RejectionReason.NOT_FINISHED, f"status {run.status}"
    if run.stage is Stage.TRIAL and run.trial_state not in (None, "COMPLETE"):
        return RejectionReason.NOT_FINISHED, f"trial state {run.trial_state}"
    if run.key_schema is None:
        return RejectionReason.SCHEMA_UNKNOWN, "no key schema on the run or its sweep"
    if run.key_schema not in scope.schemas:
        return RejectionReason.SCHEMA_EXCLUDED, f"schema {run.key_schema}"
    return None


def key_fault(run: RunView) -> Fault | None:
    """Check 4. A refit or benchmark that names its run needs no keys."""
    if (run.stage is Stage.REFIT and run.refit_of) or (run.stage is Stage.BENCHMARK and run.subject):
        return None
    if not run.study_key:
        return RejectionReason.KEY_MISSING, "study_key"
    if not run.trial_key and (run.key_schema is KeySchema.V3 or run.stage is not Stage.TRIAL):
        return RejectionReason.KEY_MISSING, "trial_key"
    return None


def trial_identity(run: RunView) -> TrialIdentity:
    """What makes two runs the same trial. A legacy trial without a key is its own."""
    return (run.key_schema, run.study_key, run.trial_key, "" if run.trial_key else run.ref)


def repeated(trials: Sequence[RunView]) -> dict[TrialIdentity, list[RunView]]:
    """The trials of which there are several runs, with these runs. Of very many trials, most are run once."""
    runs_by_key = Counter(run.trial_key for run in trials)
    found: dict[TrialIdentity, list[RunView]] = {}
    for run in trials:
        if run.trial_key and runs_by_key[run.trial_key] > 1:
            found.setdefault(trial_identity(run), []).append(run)
    return {identity: runs for identity, runs in found.items() if len(runs) > 1}


@dataclass(frozen=True, slots=True)
class TrialChecks:
    """What checks 4 to 7 demand of a trial.

    `objective` is None when no study records one and none is configured; `configured` is the configured
    direction; `metrics` are the trial metrics that the policy reads besides the objective.
    """

    objective: MetricSpec | None
    configured: Direction | None = None
    metrics: tuple[MetricSpec, ...] = ()
    family_required: bool = False

    def fault(self, run: RunView) -> Fault | None:
        """The first check that fails."""
        return key_fault(run) or self._family(run) or self._direction(run) or self._values(run)

    def _family(self, run: RunView) -> Fault | None:
        if self.family_required and not run.family:
            return RejectionReason.FAMILY_UNKNOWN, "no model family on the run or its sweep"
        return None

    def _direction(self, run: RunView) -> Fault | None:
        name = self.objective.name if self.objective else None
        recorded = _direction_of(name, run.objectives)
        if self.configured is None and recorded not in _DIRECTIONS:
            return (
                RejectionReason.DIRECTION_UNKNOWN,
                f"the study records no direction of {name or 'its objective'}",
            )
        if self.configured is not None and recorded not in (None, self.configured):
            return (
                RejectionReason.DIRECTION_CONFLICT,
                f"configured {self.configured}, the study says {recorded}",
            )
        return None

    def _values(self, run: RunView) -> Fault | None:
        if self.objective is None:
            return RejectionReason.METRIC_MISSING, "objective.metric is not set and no study records one"
        for spec in (self.objective, *self.metrics):
            if fault := spec.fault(spec.stored_value(run)):
                return fault
        return None


def _direction_of(name: str | None, objectives: tuple[tuple[str, str], ...]) -> str | None:
    for metric, direction in objectives:
        if metric == name:
            return direction
    return None


def screen(trials: Iterable[RunView], checks: TrialChecks) -> tuple[list[RunView], list[Rejection]]:
    """Checks 4 to 8 on trials that passed 1 to 3: the valid ones, one a trial, sorted by ref; the rejections.

    Values are checked before duplicates are looked for, so that a newer run without the metric does not hide
    an older valid one.
    """
    rejected: list[Rejection] = []
    valid: list[RunView] = []
    for run in trials:
        if fault := checks.fault(run):
            rejected.append(Rejection(run.ref, *fault, step="screen"))
        else:
            valid.append(run)
    outdated: set[str] = set()
    for same in repeated(valid).values():
        newest, *older = sorted(same, key=newest_first)
        outdated.update(run.ref for run in older)
        rejected.extend(
            Rejection(run.ref, RejectionReason.DUPLICATE_TRIAL, newest.ref, step="screen") for run in older
        )
    return sorted((run for run in valid if run.ref not in outdated), key=lambda run: run.ref), rejected


def screen_benchmarks(
    benchmarks: Iterable[RunView], required: Sequence[MetricSpec]
) -> tuple[list[RunView], list[Rejection]]:
    """Checks 4 and 7 on benchmark runs that passed 1 to 3."""
    valid: list[RunView] = []
    rejected: list[Rejection] = []
    for run in benchmarks:
        faults = (
            spec.fault(spec.stored_value(run)) for spec in required if spec.source is MetricFrom.BENCHMARK
        )
        fault = key_fault(run) or next((found for found in faults if found), None)
        if fault:
            rejected.append(Rejection(run.ref, *fault, step="benchmark"))
        else:
            valid.append(run)
    return valid, rejected
