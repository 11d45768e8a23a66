"""A sweep job's children as the trials of a study."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..run_view import KeySchema, RunView
from ..stage import Stage
from ..sweep_job import AzureSweep, SweepJob
from .candidate import UNKNOWN_FAMILY
from .scope import NATIVE
from .warning import SelectionWarning, WarningCode, merge_warnings

_FAMILY, _DATA_VERSION, _STUDY_KEY, _TRIAL_KEY = "backbone", "data_version", "study_key", "trial_key"


@dataclass(frozen=True, slots=True)
class SweepTrials:
    """Runs that are decided about, and what to know of them."""

    runs: tuple[RunView, ...]
    warnings: tuple[SelectionWarning, ...]


def sweep_trials(said: AzureSweep, job: SweepJob, sweep: RunView, children: Iterable[RunView]) -> SweepTrials:
    """The children as trials of the schema `native`, sorted by ref.

    `sweep` is the job's own run, whose tags `study_key`, `backbone` and `data_version` hold for the children that have
    none. Raises MalformedRun when the job's goal is no direction.
    """
    runs = sorted(children, key=lambda run: (run.ref, run.run_id))
    study = sweep.study_key or sweep.tags.get(_STUDY_KEY) or f"{NATIVE}{job.workspace}/{job.name}"
    objectives = ((job.metric, str(job.direction)),)
    refs = {run.run_id: run.ref for run in runs}
    best = refs.get(job.best_child, f"run:{job.best_child}") if job.best_child else None
    trials: list[RunView] = []
    conflicts: list[SelectionWarning] = []
    for run in runs:
        family, others = _family(said, sweep, run)
        conflicts.extend(_conflict(run, family, other) for other in others)
        trials.append(
            replace(
                run,
                stage=Stage.TRIAL,
                parent=sweep.ref,
                family=family,
                study_key=study,
                trial_key=run.trial_key or run.tags.get(_TRIAL_KEY) or f"{NATIVE}{run.run_id}",
                key_schema=KeySchema.NATIVE,
                objectives=objectives,
                dataset_version=run.tags.get(_DATA_VERSION)
                or sweep.tags.get(_DATA_VERSION)
                or said.data_version,
                service_best=best,
            )
        )
    return SweepTrials(tuple(trials), merge_warnings(conflicts))


def service_best_differs(chosen: Iterable[RunView]) -> tuple[SelectionWarning, ...]:
    """A warning for each sweep job of which trials were chosen, but not the one that the service holds for the best."""
    by_best: dict[str, set[str]] = {}
    for run in chosen:
        if run.service_best:
            by_best.setdefault(run.service_best, set()).add(run.ref)
    return tuple(
        SelectionWarning(
            WarningCode.SERVICE_BEST_DIFFERS,
            tuple(sorted(refs)),
            f"the service holds {best} for the best child",
        )
        for best, refs in sorted(by_best.items())
        if best not in refs
    )


def _family(said: AzureSweep, sweep: RunView, run: RunView) -> tuple[str, list[str]]:
    """The child's model family, and all others that are told of it."""
    told = (said.family, run.tags.get(_FAMILY), run.family, sweep.tags.get(_FAMILY), sweep.family)
    family, *others = dict.fromkeys(name for name in told if name) or [UNKNOWN_FAMILY]
    return family, others


def _conflict(run: RunView, family: str, other: str) -> SelectionWarning:
    return SelectionWarning(
        WarningCode.FAMILY_CONFLICT, (run.ref,), f"counted as {family}, though it is said to be {other}"
    )
