"""Nothing is left to choose from: why, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ..errors import NoCandidate, PolicyInputMissing, SelectionError
from .inputs import Inputs
from .metric import OBJECTIVE, MetricFrom, MetricSpec
from .rejection import Rejection, RejectionReason, in_order, widest_gap

_SAMPLES = 3

_CURES = {
    "finished": "run or resume the sweep (studbook sweep) until trials are FINISHED",
    "keyed": "widen selection.scope.schemas, or set selection.scope.assume_schema",
    "metric": "check selection.objective against what the trials log",
    "refit": "call sweep.refit(), or set selection.refit.requirement to preferred or trial",
    "artifact": "call sweep.refit(force=True) to store the checkpoint, or set selection.artifact to ignore",
    "benchmark": "measure the refits with book.benchmark, or choose the preset best_metric",
    "comparable": "measure the missing candidates in the same environment with book.benchmark",
    "contenders": "relax the policy",
}


def no_candidate(
    inputs: Inputs,
    rejected: Sequence[Rejection],
    counts: Mapping[str, int],
    metrics: Mapping[str, MetricSpec],
) -> SelectionError:
    """The error for an empty set: NoCandidate, or PolicyInputMissing when no run at all has a metric."""
    reasons = _reasons(inputs, rejected)
    details = _details(inputs, rejected, counts)
    if absent := _absent(inputs, counts, metrics):
        alias, spec = absent
        lacking = [r.ref for r in rejected if r.reason in _LACKING]
        lacking += inputs.screened.reasons[_MISSING].listed if _MISSING in inputs.screened.reasons else ()
        return PolicyInputMissing(
            f"policy {inputs.plan.policy.name} reads {alias} ({spec.source}: {spec.name}), which no run has",
            cure=_CURES["benchmark"]
            if spec.source is MetricFrom.BENCHMARK
            else f"log {spec.name} on the {spec.source} runs, or choose the preset best_metric",
            metric=spec.name,
            refs=sorted(set(lacking))[: _SAMPLES * 10],
            **details,
        )
    gap = widest_gap(counts)
    top = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items(), key=_by_count)[:3])
    problem = f"no candidate among {counts['read']} trials" + (f": {top}" if top else "")
    cure = _CURES[gap] if gap else "check selection.scope and the experiments: no trial was read"
    return NoCandidate(problem, cure=cure, **details)


def emptied_by_policy(
    error: NoCandidate, inputs: Inputs, rejected: Sequence[Rejection], counts: Mapping[str, int]
) -> NoCandidate:
    """The error of a filter that left nobody, with the funnel, reasons and samples of the whole decision."""
    details = {**_details(inputs, rejected, counts), **error.details}
    return NoCandidate(error.problem, cure=error.cure, **details)


def _reasons(inputs: Inputs, rejected: Sequence[Rejection]) -> Counter[RejectionReason]:
    reasons = Counter({reason: found.count for reason, found in inputs.screened.reasons.items()})
    reasons.update(rejection.reason for rejection in rejected)
    return reasons


def _details(inputs: Inputs, rejected: Sequence[Rejection], counts: Mapping[str, int]) -> dict[str, object]:
    reasons = _reasons(inputs, rejected)
    return {
        "funnel": dict(counts),
        "reasons": {reason.value: count for reason, count in sorted(reasons.items(), key=_by_count)},
        "samples": _samples(inputs, rejected),
    }


def _by_count(item: tuple[RejectionReason, int]) -> tuple[int, str]:
    return (-item[1], item[0].value)


_MISSING = RejectionReason.BENCHMARK_MISSING
_LACKING = frozenset({RejectionReason.METRIC_MISSING, RejectionReason.BENCHMARK_MISSING})


def _absent(
    inputs: Inputs, counts: Mapping[str, int], metrics: Mapping[str, MetricSpec]
) -> tuple[str, MetricSpec] | None:
    """A metric besides the objective that the policy reads and that no run holds."""
    if counts["keyed"] == 0:
        return None
    pool = inputs.pool
    sources = {
        MetricFrom.TRIAL: pool.trials,
        MetricFrom.REFIT: pool.refits,
        MetricFrom.BENCHMARK: pool.benchmarks,
        MetricFrom.ARTIFACT: (*pool.refits, *pool.trials),
    }
    reached = counts["artifact"] > 0
    for alias in inputs.plan.policy.policy.reads:
        spec = metrics.get(alias)
        if spec is None or alias == OBJECTIVE or (spec.source is MetricFrom.BENCHMARK and not reached):
            continue
        runs = sources[spec.source]
        if (runs or spec.source is MetricFrom.BENCHMARK) and not any(
            spec.fault(spec.stored_value(run)) is None for run in runs
        ):
            return alias, spec
    return None


def _samples(inputs: Inputs, rejected: Sequence[Rejection]) -> dict[str, list[str]]:
    samples: dict[str, list[str]] = {
        reason.value: list(found.listed[:_SAMPLES])
        for reason, found in sorted(inputs.screened.reasons.items())
    }
    for rejection in in_order(rejected):
        listed = samples.setdefault(rejection.reason.value, [])
        if len(listed) < _SAMPLES:
            listed.append(f"{rejection.ref}: {rejection.detail}" if rejection.detail else rejection.ref)
    return samples
