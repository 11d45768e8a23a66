"""Several benchmark runs of one key as one value, with its standard error."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..run_view import RunView
from .candidate import Measurement
from .metric import MetricSpec
from .order import finite, mean, median, newest_first, standard_error
from .sections import Aggregate

ITERATIONS = "benchmark_iterations"


def measure(
    runs: Sequence[RunView],
    spec: MetricSpec,
    how: Aggregate,
    *,
    environment_fp: str | None,
    benchmark_key: str,
) -> Measurement | None:
    """The aggregate over the runs that have a valid value; None when no run has one."""
    valued = [
        (run, float(stored))
        for run in sorted(runs, key=newest_first)
        if spec.fault(stored := run.metrics.get(spec.name)) is None and stored is not None
    ]
    if not valued:
        return None
    values = [value for _, value in valued]
    match how:
        case Aggregate.LATEST:
            value = values[0]
        case Aggregate.MEDIAN:
            value = median(values)
        case Aggregate.MEAN:
            value = mean(values)
    shown = min(valued, key=lambda pair: (abs(pair[1] - value), pair[0].started_at, pair[0].ref))[0]
    return Measurement(
        value=value,
        se=standard_error(values) if len(values) > 1 else recorded_error(valued[0][0], spec.name),
        n_runs=len(values),
        representative=shown.ref,
        environment_fp=environment_fp,
        benchmark_key=benchmark_key,
    )


def spread_name(metric: str) -> str | None:
    """The metric that records the sample standard deviation of a mean in milliseconds."""
    return f"{metric.removesuffix('_ms')}_std_ms" if metric.endswith("_ms") else None


def recorded_error(run: RunView, metric: str) -> float | None:
    """The run's recorded standard deviation / √n, where both are known."""
    spread = run.metrics.get(spread_name(metric) or "")
    try:
        count = int(str(run.params.get(ITERATIONS, "")))
    except ValueError:
        return None
    if count < 1 or spread is None or not finite(spread) or spread < 0:
        return None
    return spread / math.sqrt(count)
