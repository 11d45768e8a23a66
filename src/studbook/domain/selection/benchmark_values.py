"""One comparable value for each candidate and benchmark metric."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import BenchmarksNotComparable
from ..run_view import RunView
from .candidate import Candidate, Measurement
from .environment import UNKNOWN, batch_sizes, environment_of, fingerprint
from .measurement import measure
from .metric import MetricFrom, MetricSpec
from .order import newest_first
from .refit_mapping import LEGACY_SCHEMAS
from .rejection import Rejection, RejectionReason, in_order
from .screen import screen_benchmarks
from .sections import BenchmarkRule, OnIncomparable
from .warning import SelectionWarning, WarningCode


@dataclass(frozen=True, slots=True)
class BenchmarkReport:
    """Measurements by trial ref and alias, all from one environment; who has none, and why."""

    measurements: dict[str, dict[str, Measurement]] = field(default_factory=dict)
    rejected: tuple[Rejection, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    environment_fp: str | None = None
    warnings: tuple[SelectionWarning, ...] = ()


def measure_benchmarks(
    candidates: Sequence[Candidate],
    benchmarks: Iterable[RunView],
    metrics: Mapping[str, MetricSpec],
    rule: BenchmarkRule,
) -> BenchmarkReport:
    """The benchmark values of the candidates.

    `benchmarks` are FINISHED, active benchmark runs; `metrics` the aliases to measure (others than `from:
    benchmark` are ignored). Raises BenchmarksNotComparable, with the table of candidates and environments,
    when no environment covers every benchmarked candidate and the rule says `refuse`.
    """
    wanted = {alias: spec for alias, spec in metrics.items() if spec.source is MetricFrom.BENCHMARK}
    eligible, rejected = screen_benchmarks(benchmarks, _required(wanted, rule))
    assigned = _assign(candidates, eligible, {r.ref for r in rejected})
    rejected.extend(assigned.rejected)
    batch_size = batch_sizes(_names(wanted, rule))
    environments: dict[str, dict[str, str]] = {}
    table: dict[str, dict[str, list[RunView]]] = {}
    for ref, runs in assigned.runs.items():
        for run in runs:
            described = environment_of(run, rule.comparable_on, batch_size)
            fp = fingerprint(described)
            environments[fp] = described
            table.setdefault(ref, {}).setdefault(fp, []).append(run)
    chosen = _choose_environment(table, rule)
    measurements: dict[str, dict[str, Measurement]] = {}
    for ref, row in sorted(table.items()):
        outcome = _measure_candidate(ref, row.get(chosen or "", []), wanted, rule, chosen)
        if isinstance(outcome, Rejection):
            rejected.append(outcome)
        else:
            measurements[ref] = outcome
    environment = environments.get(chosen or "", {})
    return BenchmarkReport(
        measurements=measurements,
        rejected=tuple(in_order(rejected)),
        environment=environment,
        environment_fp=chosen,
        warnings=(*assigned.warnings, *_unknown_fields(environment, measurements)),
    )


def _required(wanted: Mapping[str, MetricSpec], rule: BenchmarkRule) -> list[MetricSpec]:
    """The metrics without which a run is not eligible, with the declared range where an alias has one."""
    declared = {spec.name: spec for spec in wanted.values()}
    if not rule.required_metrics:
        return [declared[name] for name in sorted(declared)]
    return [declared.get(name) or _plain(name) for name in rule.required_metrics]


def _plain(name: str) -> MetricSpec:
    return MetricSpec.model_validate({"from": "benchmark", "name": name, "direction": "minimize"})


def _names(wanted: Mapping[str, MetricSpec], rule: BenchmarkRule) -> list[str]:
    return [spec.name for spec in wanted.values()] or list(rule.required_metrics)


@dataclass(frozen=True, slots=True)
class _Assigned:
    runs: dict[str, list[RunView]]
    rejected: list[Rejection]
    warnings: list[SelectionWarning]


def _assign(
    candidates: Sequence[Candidate], benchmarks: Sequence[RunView], ineligible: set[str]
) -> _Assigned:
    """The benchmark runs of each candidate: those whose subject is the run that would be served."""
    by_subject: dict[str, list[RunView]] = defaultdict(list)
    by_keys: dict[tuple[str, str], list[RunView]] = defaultdict(list)
    for run in benchmarks:
        if run.subject:
            by_subject[run.subject].append(run)
        if run.study_key and run.trial_key:
            by_keys[run.study_key, run.trial_key].append(run)
    assigned = _Assigned({}, [], [])
    for candidate in candidates:
        trial, served = candidate.trial, candidate.artifact_run.ref
        keyed = by_keys.get((trial.study_key or "", trial.trial_key or ""), [])
        assumed = [run for run in keyed if not run.subject and run.key_schema in LEGACY_SCHEMAS]
        if runs := [*by_subject.get(served, ()), *assumed]:
            assigned.runs[candidate.ref] = runs
            detail = "subject taken from equal study and trial keys"
            assigned.warnings.extend(
                SelectionWarning(WarningCode.SUBJECT_ASSUMED, (run.ref,), detail) for run in assumed
            )
        else:
            related = {*candidate.mapping.trial_runs, *(ref for ref, _ in candidate.mapping.considered)}
            others = [run for ref in sorted(related) for run in by_subject.get(ref, ())] + keyed
            assigned.rejected.append(_unmeasured(candidate, others, ineligible))
    return assigned


def _unmeasured(candidate: Candidate, others: list[RunView], ineligible: set[str]) -> Rejection:
    served = candidate.artifact_run.ref
    if others:
        subjects = sorted({f"{run.ref} measured {run.subject or 'nothing named'}" for run in others})
        reason = RejectionReason.BENCHMARK_OTHER_SUBJECT
        return Rejection(candidate.ref, reason, f"{', '.join(subjects)}, not {served}", step="benchmark")
    detail = f"none of {served}" + (f"; {len(ineligible)} benchmark runs were rejected" if ineligible else "")
    return Rejection(candidate.ref, RejectionReason.BENCHMARK_MISSING, detail, step="benchmark")


def _choose_environment(table: Mapping[str, Mapping[str, list[RunView]]], rule: BenchmarkRule) -> str | None:
    """The one environment of the decision; None when nothing was measured."""
    if rule.environment != "auto" or not table:
        return rule.environment if rule.environment != "auto" else None
    cover: dict[str, int] = defaultdict(int)
    newest: dict[str, RunView] = {}
    for row in table.values():
        for fp, runs in row.items():
            cover[fp] += 1
            known = [newest[fp]] if fp in newest else []
            newest[fp] = min([*known, *runs], key=newest_first)
    complete = [fp for fp, count in cover.items() if count == len(table)]
    if not complete and rule.on_incomparable is OnIncomparable.REFUSE:
        shown = {ref: sorted(row) for ref, row in sorted(table.items())}
        raise BenchmarksNotComparable(
            f"none of {len(cover)} environments covers all {len(table)} benchmarked candidates",
            cure="benchmark the missing pairs: "
            + "; ".join(f"{ref} in {fp[:12]}" for ref, fp in _gaps(shown, cover))
            + ", or set selection.benchmark.on_incomparable to largest",
            table=shown,
        )
    widest = max(cover.values())
    pool = complete or [fp for fp, count in cover.items() if count == widest]
    return min(pool, key=lambda fp: (newest_first(newest[fp])[:3], fp))


def _gaps(table: Mapping[str, list[str]], cover: Mapping[str, int]) -> list[tuple[str, str]]:
    """What to measure to complete the widest environment."""
    widest = min(cover, key=lambda fp: (-cover[fp], fp))
    return [(ref, widest) for ref, fps in table.items() if widest not in fps]


def _measure_candidate(
    ref: str,
    runs: list[RunView],
    wanted: Mapping[str, MetricSpec],
    rule: BenchmarkRule,
    environment_fp: str | None,
) -> dict[str, Measurement] | Rejection:
    reason = RejectionReason.BENCHMARK_NOT_COMPARABLE
    if not runs:
        return Rejection(ref, reason, f"no benchmark in environment {environment_fp}", step="benchmark")
    key = benchmark_key(min(runs, key=newest_first)) if rule.key == "newest" else rule.key
    same = [run for run in runs if benchmark_key(run) == key]
    if not same:
        return Rejection(ref, reason, f"no benchmark with key {key}", step="benchmark")
    values: dict[str, Measurement] = {}
    for alias, spec in wanted.items():
        measured = measure(same, spec, rule.aggregate, environment_fp=environment_fp, benchmark_key=key)
        if measured is not None:
            values[alias] = measured
    return values


def benchmark_key(run: RunView) -> str:
    """The recorded key; a legacy run without one is grouped by its trial."""
    return run.benchmark_key or f"legacy:{run.trial_key}"


def _unknown_fields(
    environment: Mapping[str, str], measurements: Mapping[str, object]
) -> tuple[SelectionWarning, ...]:
    unknown = sorted(name for name, value in environment.items() if value == UNKNOWN)
    if not unknown or not measurements:
        return ()
    detail = f"not recorded, taken as equal: {', '.join(unknown)}"
    return (SelectionWarning(WarningCode.ENVIRONMENT_UNKNOWN, (), detail),)
