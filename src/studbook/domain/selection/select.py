"""Selection: from all runs of a scope to the one model, with everything that says why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..run_view import RunView
from .config import SelectionConfig
from .decide import decide
from .gather import gather
from .joining import distinct
from .result import SelectionResult


def select(
    runs: Iterable[RunView], config: SelectionConfig, experiments: Iterable[str] = ()
) -> SelectionResult:
    """The selected model among all runs (sweeps, trials, refits, benchmarks, any status) of the scope.

    `experiments` are those that were read, where the settings name none. Independent of the order of `runs`.
    Raises NoCandidate with funnel, reasons and samples; MixedObjectives; PolicyInputMissing;
    BenchmarksNotComparable with the table of candidates and environments.
    """
    views = distinct(runs)
    plan = config.plan(experiments)
    result = decide(gather(views, plan, list_screened=config.record.list_screened))
    cited = {run.ref for run in result.inputs.runs}
    return replace(result, locations={run.ref: run.run_id for run in views if run.ref in cited})
