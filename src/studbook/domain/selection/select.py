"""Selection: from all runs of a scope to the one model, with everything that says why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..run_view import RunView
from .config import SelectionConfig
from .decide import decide
from .gather import gather
from .joining import distinct, given_up
from .result import SelectionResult
from .warning import SelectionWarning


def select(
    runs: Iterable[RunView],
    config: SelectionConfig,
    experiments: Iterable[str] = (),
    warnings: Iterable[SelectionWarning] = (),
) -> SelectionResult:
    """The selected model among all runs (sweeps, trials, refits, benchmarks, any status) of the scope.

    `experiments` are those that were read, where the settings name none; `warnings` are those that the runs came with.
    Independent of the order of `runs`.
    Raises NoCandidate with funnel, reasons and samples; MixedObjectives; PolicyInputMissing;
    BenchmarksNotComparable with the table of candidates and environments.
    """
    views = distinct(runs)
    plan = config.plan(experiments)
    run_ids = {run.ref: run.run_id for run in views}
    inputs = gather(given_up(views), plan, list_screened=config.record.list_screened, warnings=warnings)
    result = decide(inputs)
    return replace(result, locations={run.ref: run_ids[run.ref] for run in inputs.runs})
