"""From valid trials to candidates: the mapped refit, the served run, and the values that are joined."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..run_view import ArtifactState, RunView
from .candidate import Candidate, Measurement
from .metric import OBJECTIVE, MetricFrom, MetricSpec
from .order import standard_error
from .plan import SelectionPlan
from .pool import Pool
from .refit_mapping import ArtifactRun, RefitMapping, RefitRequirement, artifact_run, verdicts
from .rejection import Rejection, RejectionReason
from .sections import ArtifactRequirement
from .warning import SelectionWarning, WarningCode


@dataclass(frozen=True, slots=True)
class Candidates:
    """Who competes so far (sorted by ref), who does not, and what to know."""

    kept: tuple[Candidate, ...]
    rejected: tuple[Rejection, ...]
    warnings: tuple[SelectionWarning, ...]


def build_candidates(
    trials: Iterable[RunView], pool: Pool, plan: SelectionPlan, metrics: Mapping[str, MetricSpec]
) -> Candidates:
    """Checks 10 and 11, and the metrics that come from trial, refit and files; benchmarks are joined later.

    `metrics` holds every alias with the objective resolved; one that the policy reads must have a value.
    """
    policy, reads = plan.policy, plan.policy.policy.reads
    kept: list[Candidate] = []
    rejected: list[Rejection] = []
    warnings: list[SelectionWarning] = []
    for trial in sorted(trials, key=lambda run: run.ref):
        mapping = pool.mapping(trial, policy.refit, plan.scope.refits)
        served = serve(trial, mapping, pool, plan)
        if isinstance(served, Rejection):
            rejected.append(served)
            continue
        candidate = Candidate(trial, mapping, pool.run(served.ref))
        if fault := _missing(candidate, pool, reads, metrics):
            rejected.append(fault)
            continue
        kept.append(_with_values(candidate, pool, metrics))
        warnings.extend((*mapping.warnings, *served.warnings, *_state_unknown(candidate, policy.artifact)))
    return Candidates(tuple(kept), tuple(rejected), tuple(warnings))


def serve(trial: RunView, mapping: RefitMapping, pool: Pool, plan: SelectionPlan) -> ArtifactRun | Rejection:
    """The run whose files would be served, or why there is none (checks 10 and 11)."""
    requirement = plan.policy.refit.requirement
    if requirement is RefitRequirement.REQUIRED and mapping.refit is None:
        return Rejection(trial.ref, RejectionReason.REFIT_MISSING, verdicts(mapping), step="refit")
    served = artifact_run(mapping, requirement)
    state = pool.run(served.ref).artifact_state
    demanded = plan.policy.artifact
    if demanded is ArtifactRequirement.IGNORE or state is ArtifactState.AVAILABLE:
        return served
    if state is ArtifactState.UNAVAILABLE:
        return Rejection(trial.ref, RejectionReason.ARTIFACT_UNAVAILABLE, served.ref, step="artifact")
    if demanded is ArtifactRequirement.AVAILABLE:
        return Rejection(trial.ref, RejectionReason.ARTIFACT_UNKNOWN, served.ref, step="artifact")
    return served


def _state_unknown(candidate: Candidate, demanded: ArtifactRequirement) -> tuple[SelectionWarning, ...]:
    unknown = candidate.artifact_run.artifact_state is ArtifactState.UNKNOWN
    if demanded is not ArtifactRequirement.NOT_UNAVAILABLE or not unknown:
        return ()
    detail = "nothing says whether the files are there"
    return (SelectionWarning(WarningCode.ARTIFACT_UNKNOWN, (candidate.artifact_run.ref,), detail),)


def _missing(
    candidate: Candidate, pool: Pool, reads: tuple[str, ...], metrics: Mapping[str, MetricSpec]
) -> Rejection | None:
    for alias in reads:
        spec = metrics[alias]
        if spec.source is MetricFrom.BENCHMARK:
            continue
        source = _source(candidate, pool, spec)
        fault = spec.fault(spec.stored_value(source) if source else None)
        if fault:
            reason, detail = fault
            return Rejection(candidate.ref, reason, f"{alias}: {detail}", step="join")
    return None


def _with_values(candidate: Candidate, pool: Pool, metrics: Mapping[str, MetricSpec]) -> Candidate:
    values: dict[str, Measurement] = {}
    for alias, spec in metrics.items():
        source = None if spec.source is MetricFrom.BENCHMARK else _source(candidate, pool, spec)
        stored = spec.stored_value(source) if source else None
        if source is None or spec.fault(stored) is not None or not isinstance(stored, int | float):
            continue
        values[alias] = Measurement(float(stored), _fold_error(source, alias, spec), 1, source.ref)
    return Candidate(candidate.trial, candidate.mapping, candidate.artifact_run, values)


def _source(candidate: Candidate, pool: Pool, spec: MetricSpec) -> RunView | None:
    if spec.source is MetricFrom.TRIAL:
        return candidate.trial
    if spec.source is MetricFrom.ARTIFACT:
        return candidate.artifact_run
    return pool.run(candidate.mapping.refit) if candidate.mapping.refit else None


def _fold_error(run: RunView, alias: str, spec: MetricSpec) -> float | None:
    """The standard error over folds, from their values: no recorded sd is read."""
    if spec.source is not MetricFrom.TRIAL:
        return None
    recorded = fold_values(run, spec.name)
    if alias == OBJECTIVE and not recorded:
        recorded = run.folds
    return standard_error(recorded)


def fold_values(run: RunView, metric: str) -> tuple[float, ...]:
    """The values of `<metric>_fold_<i>`, by index."""
    prefix = f"{metric}_fold_"
    indices = sorted(
        int(name.removeprefix(prefix))
        for name in run.metrics
        if name.startswith(prefix) and name.removeprefix(prefix).isdecimal()
    )
    return tuple(run.metrics[f"{prefix}{index}"] for index in indices)
