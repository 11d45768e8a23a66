"""The decision itself: from inputs to a result, and to nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ..errors import NoCandidate
from ..run_view import RunView
from .apply_policy import Verdict, apply_policy
from .benchmark_values import BenchmarkReport, measure_benchmarks
from .candidate import Candidate
from .candidates import Candidates, build_candidates
from .champions import champions_of
from .empty_set import emptied_by_policy, no_candidate
from .inputs import Inputs
from .metric import MetricFrom, MetricSpec
from .objective import resolve_objective
from .order import round12
from .plan import SelectionPlan
from .rejection import Rejection, RejectionReason, funnel, in_order
from .result import Contender, SelectionResult, values_of, winner_of
from .screen import key_fault, screen
from .sections import CandidatesFrom
from .sweep_trials import service_best_differs
from .unmeasured import resolved_metrics, trial_checks
from .warning import SelectionWarning, WarningCode, merge_warnings


def decide(inputs: Inputs) -> SelectionResult:
    """The one result of these inputs.

    Raises NoCandidate, MixedObjectives, PolicyInputMissing or BenchmarksNotComparable.
    """
    plan, pool = inputs.plan, inputs.pool
    objective = resolve_objective(pool.trials, plan.policy.objective)
    metrics = resolved_metrics(plan, objective)
    entered, rejected, warnings = _entrants(inputs, objective)
    built = build_candidates(entered, pool, plan, metrics)
    report = _benchmarks(built, inputs, metrics)
    ready = [_with_benchmarks(c, report) for c in built.kept if not _unmeasured(c, report, plan)]
    rejected = [*rejected, *_keyless_refits(pool.refits), *built.rejected, *report.rejected]
    ready, incomplete = _complete(ready, plan, metrics)
    rejected = in_order((*rejected, *incomplete))
    counts = _funnel(inputs, rejected)
    if not ready:
        raise no_candidate(inputs, rejected, counts, metrics)
    try:
        verdict = apply_policy(ready, plan.policy.policy, metrics, noise_z=plan.policy.noise_z)
    except NoCandidate as error:
        raise emptied_by_policy(error, inputs, rejected, {**counts, "contenders": 0}) from error
    winner = verdict.ranked.winner
    used = {ref for c in ready for ref in (c.ref, c.artifact_run.ref, *_benchmark_refs(c))}
    gathered = (w for w in (*warnings, *built.warnings, *report.warnings) if not w.refs or used & set(w.refs))
    return SelectionResult(
        inputs=inputs,
        funnel={**counts, "contenders": len(verdict.ranked.order)},
        winner=winner_of(winner),
        ranking=_ranking(verdict),
        dropped=tuple(
            Rejection(dropped.candidate.ref, RejectionReason.DROPPED, dropped.detail, dropped.step)
            for dropped in verdict.dropped
        ),
        rejected=tuple(rejected),
        normalisation=dict(verdict.ranked.normalisation),
        margins=verdict.margins,
        warnings=merge_warnings(
            (*gathered, *verdict.warnings, *inputs.screened.warnings, *_of_winner(winner, inputs))
        ),
        environment=report.environment,
    )


def _entrants(
    inputs: Inputs, objective: MetricSpec | None
) -> tuple[Sequence[RunView], list[Rejection], tuple[SelectionWarning, ...]]:
    """The trials that compete: all valid ones, or the champions."""
    plan, pool = inputs.plan, inputs.pool
    if plan.policy.candidates.source is CandidatesFrom.TRIALS:
        valid, rejected = screen(pool.trials, trial_checks(plan, objective))
        return valid, rejected, ()
    report = champions_of(pool, plan, objective)
    chosen = {champion.trial for champion in report.champions}
    settled = chosen | {rejection.ref for rejection in report.rejected}
    beaten = [
        Rejection(run.ref, RejectionReason.DROPPED, f"not the champion of {run.family}", "champions")
        for run in pool.trials
        if run.ref not in settled
    ]
    return [run for run in pool.trials if run.ref in chosen], [*report.rejected, *beaten], report.warnings


def _keyless_refits(refits: Iterable[RunView]) -> list[Rejection]:
    return [Rejection(run.ref, *fault, step="screen") for run in refits if (fault := key_fault(run))]


def _benchmarks(built: Candidates, inputs: Inputs, metrics: Mapping[str, MetricSpec]) -> BenchmarkReport:
    """The benchmark values, where the policy needs any: others are not refused for want of them."""
    plan = inputs.plan.policy
    if not plan.needs_benchmark:
        return BenchmarkReport()
    read = {alias: spec for alias, spec in metrics.items() if alias in plan.policy.reads}
    return measure_benchmarks(built.kept, inputs.pool.benchmarks, read, plan.benchmark)


def _unmeasured(candidate: Candidate, report: BenchmarkReport, plan: SelectionPlan) -> bool:
    return plan.policy.needs_benchmark and candidate.ref not in report.measurements


def _with_benchmarks(candidate: Candidate, report: BenchmarkReport) -> Candidate:
    return replace(candidate, values={**candidate.values, **report.measurements.get(candidate.ref, {})})


def _complete(
    candidates: Sequence[Candidate], plan: SelectionPlan, metrics: Mapping[str, MetricSpec]
) -> tuple[list[Candidate], list[Rejection]]:
    """Check 7 for benchmark metrics, where they are joined."""
    measured = {alias for alias, spec in metrics.items() if spec.source is MetricFrom.BENCHMARK}
    reads = [alias for alias in plan.policy.policy.reads if alias in measured]
    kept: list[Candidate] = []
    rejected: list[Rejection] = []
    for candidate in candidates:
        missing = next((alias for alias in reads if alias not in candidate.values), None)
        if missing is None:
            kept.append(candidate)
        else:
            detail = f"{missing}: no benchmark has {metrics[missing].name}"
            rejected.append(Rejection(candidate.ref, RejectionReason.METRIC_MISSING, detail, "benchmark"))
    return kept, rejected


def _funnel(inputs: Inputs, rejected: Sequence[Rejection]) -> dict[str, int]:
    trials = {run.ref for run in inputs.pool.trials}
    lost = Counter({reason: found.trials for reason, found in inputs.screened.reasons.items()})
    lost.update(rejection.reason for rejection in rejected if rejection.ref in trials)
    screened = sum(found.trials for found in inputs.screened.reasons.values())
    return funnel(len(trials) + screened, lost)


def _ranking(verdict: Verdict) -> tuple[Contender, ...]:
    ranked = verdict.ranked
    weights = {alias: n.weight for alias, n in ranked.normalisation.items()}
    rows: list[Contender] = []
    for position, candidate in enumerate(ranked.order, start=1):
        u = ranked.u.get(candidate.ref, {})
        rows.append(
            Contender(
                rank=position,
                ref=candidate.ref,
                refit=candidate.mapping.refit,
                artifact_run=candidate.artifact_run.ref,
                family=candidate.family,
                score=ranked.scores.get(candidate.ref),
                u={alias: round12(value) for alias, value in u.items()},
                values=values_of(candidate),
                se={alias: round12(m.se) for alias, m in candidate.values.items() if m.se is not None},
                contribution={alias: round12(weights[alias] * value) for alias, value in u.items()},
            )
        )
    return tuple(rows)


def _benchmark_refs(candidate: Candidate) -> set[str]:
    return {measured.representative for measured in candidate.values.values()}


def _of_winner(winner: Candidate, inputs: Inputs) -> tuple[SelectionWarning, ...]:
    found = service_best_differs([winner.trial])
    if winner.trial.study_key not in inputs.screened.open_studies:
        return found
    detail = f"study {winner.trial.study_key} still has RUNNING trials"
    return (*found, SelectionWarning(WarningCode.STUDY_OPEN, (winner.ref,), detail))
