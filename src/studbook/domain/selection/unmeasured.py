"""Trials that no benchmark names, when the policy needs a benchmark: most of a large sweep."""

from __future__ import annotations

from .candidates import build_candidates
from .metric import OBJECTIVE, MetricFrom, MetricSpec
from .objective import resolve_objective
from .plan import SelectionPlan
from .pool import Pool
from .rejection import RejectionReason
from .screen import TrialChecks, screen, trial_identity
from .sections import CandidatesFrom


def unmeasured_trials(pool: Pool, plan: SelectionPlan) -> dict[str, RejectionReason]:
    """The trials that no benchmark names, by ref, with the first check that each fails."""
    if plan.policy.candidates.source is CandidatesFrom.CHAMPIONS:
        return {}
    unnamed = _unnamed(pool)
    objective = resolve_objective(pool.trials, plan.policy.objective)
    valid, rejected = screen(pool.trials, trial_checks(plan, objective))
    alone = [run for run in valid if run.ref in unnamed]
    metrics = resolved_metrics(plan, objective)
    reasons = {r.ref: r.reason for r in (*rejected, *build_candidates(alone, pool, plan, metrics).rejected)}
    return {ref: reasons.get(ref, RejectionReason.BENCHMARK_MISSING) for ref in sorted(unnamed)}


def trial_checks(plan: SelectionPlan, objective: MetricSpec | None) -> TrialChecks:
    """What a trial must be and hold under this plan."""
    reads = set(plan.policy.policy.reads)
    wanted = (
        spec for alias, spec in plan.policy.metrics if alias in reads and spec.source is MetricFrom.TRIAL
    )
    return TrialChecks(objective, plan.policy.objective.configured, tuple(wanted))


def resolved_metrics(plan: SelectionPlan, objective: MetricSpec | None) -> dict[str, MetricSpec]:
    """Every alias, the objective first, then in the order of the settings."""
    return {**({OBJECTIVE: objective} if objective else {}), **dict(plan.policy.metrics)}


def _unnamed(pool: Pool) -> set[str]:
    subjects = {run.subject for run in pool.benchmarks if run.subject}
    measured = [refit for refit in pool.refits if refit.ref in subjects]
    subjects |= {refit.refit_of for refit in measured if refit.refit_of}
    keys = {
        (run.study_key, run.trial_key)
        for run in (*pool.benchmarks, *measured)
        if run.study_key and run.trial_key
    }
    named = {
        trial_identity(run)
        for run in (*pool.trials, *pool.cited)
        if run.ref in subjects or (run.study_key, run.trial_key) in keys
    }
    return {run.ref for run in pool.trials if trial_identity(run) not in named}
