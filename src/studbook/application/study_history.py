"""What is known of a study when a session opens: its trials so far, whatever became of their processes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..domain.keys import FoldKey, RunKey, TrialKey
from ..domain.run import RunStatus
from ..domain.run_events import RunReaped
from ..domain.run_identity import of_trial
from ..domain.run_reader import fold_values
from ..domain.run_view import RunView
from ..domain.stage import Stage
from ..domain.stored_run import Lifecycle
from ..domain.study import StudyDefinition
from ..domain.trial import trial_key
from ..ports.sampler import SampledStudy, SampledTrial, TrialState
from .recorder import Recorder
from .run_catalog import RunCatalog
from .sweep_result import TrialRecord
from .trial_plan import ScoredFold

_INNERMOST_FIRST = (Stage.FOLD, Stage.TRIAL, Stage.SWEEP)


@dataclass(frozen=True, slots=True)
class StudyHistory:
    """A study before a session: its sweep runs, oldest first, its trials by number, and the folds that need not
    be trained again.
    """

    sessions: tuple[RunView, ...]
    trials: tuple[TrialRecord, ...]
    scored_folds: Mapping[FoldKey, ScoredFold] = field(default_factory=dict)

    @property
    def last_session(self) -> int:
        """The number of the newest session; 0 when there is none."""
        return max((session.attempt for session in self.sessions), default=0)


class HistoryReader:
    """Joins the study storage with the delivered runs. The caller holds the study's lock."""

    def __init__(self, catalog: RunCatalog, recorder: Recorder, project: str) -> None:
        self._catalog = catalog
        self._recorder = recorder
        self._project = project

    def read(self, study: StudyDefinition, sampled: SampledStudy) -> StudyHistory:
        """End what a dead process left running, then tell what there is.

        A lost storage is rebuilt from the store's trials; a trial that the storage believes running is told what
        the store knows of it.
        """
        runs = self._catalog.find(_INNERMOST_FIRST, study_key=study.key)
        self._reap(runs)
        by_number = {
            run.trial_number: run for run in runs if run.stage is Stage.TRIAL and run.trial_number is not None
        }
        if by_number and not sampled.trials():
            for trial in _rebuilt(study, by_number):
                sampled.add(trial)
        for trial in sampled.trials():
            if trial.state is TrialState.RUNNING:
                _settle(study, sampled, trial, by_number.get(trial.number))
        sessions = tuple(
            sorted((run for run in runs if run.stage is Stage.SWEEP), key=lambda run: run.attempt)
        )
        trials = self._records(study, sampled, {run.ref: run for run in by_number.values()})
        return StudyHistory(sessions, trials, self._scored(study, runs))

    def _records(
        self, study: StudyDefinition, sampled: SampledStudy, runs: Mapping[str, RunView]
    ) -> tuple[TrialRecord, ...]:
        """The storage's trials; identities that it lacks are computed."""
        records: list[TrialRecord] = []
        attempts: dict[TrialKey, int] = {}
        for trial in sampled.trials():
            key = trial_key(study.key, trial.params)
            attempt = int(trial.attributes.get("attempt", attempts.get(key, 0) + 1))
            attempts[key] = max(attempt, attempts.get(key, 0))
            records.append(self._record(study, trial, key, attempt, runs))
        return tuple(records)

    def _record(
        self,
        study: StudyDefinition,
        trial: SampledTrial,
        key: TrialKey,
        attempt: int,
        runs: Mapping[str, RunView],
    ) -> TrialRecord:
        attributes: Mapping[str, str] = trial.attributes
        run_key = attributes.get("run_key") or of_trial(self._project, key, attempt).key
        run = runs.get(run_key)
        duplicate_of = attributes.get("duplicate_of")
        names = [objective.metric for objective in study.objectives]
        complete = trial.state is TrialState.COMPLETE and trial.values is not None
        return TrialRecord(
            number=trial.number,
            trial_key=key,
            run_key=RunKey(run_key),
            attempt=attempt,
            state=trial.state,
            params=trial.params,
            values=dict(zip(names, trial.values or (), strict=True)) if complete else None,
            duplicate_of=RunKey(duplicate_of) if duplicate_of else None,
            error=run.error if run and trial.state is TrialState.FAILED else None,
            folds=_folds(names, run) if run else (),
            started_at=run.started_at if run else 0,
            ended_at=(run.ended_at or 0) if run else 0,
        )

    def _scored(self, study: StudyDefinition, runs: Iterable[RunView]) -> dict[FoldKey, ScoredFold]:
        scored: dict[FoldKey, ScoredFold] = {}
        for run in runs:
            finished = run.status is RunStatus.FINISHED and run.lifecycle is Lifecycle.ACTIVE
            values = _values(study, run)
            if run.stage is not Stage.FOLD or not finished or values is None:
                continue
            key = self._catalog.vocabulary.read("fold.key", run.tags, run=run.ref)
            if key is not None and all(math.isfinite(value) for value in values):
                reported = {n: v for n, v in run.metrics.items() if not n.startswith("intermediate_")}
                scored[FoldKey(str(key))] = ScoredFold(RunKey(run.ref), reported)
        return scored

    def _reap(self, runs: tuple[RunView, ...]) -> None:
        """End this home's runs that are still open: nobody else runs the study while its lock is held."""
        open_runs = [
            run
            for stage in _INNERMOST_FIRST
            for run in runs
            if run.stage is stage and run.status is RunStatus.RUNNING and self._catalog.is_ours(run)
        ]
        ends = self._recorder.last_events_ns({RunKey(run.ref) for run in open_runs}) if open_runs else {}
        for run in open_runs:
            key = RunKey(run.ref)
            last = ends.get(key, run.started_at * 1_000_000)
            self._recorder.record(key, RunReaped(reason="lost", last_event_ns=last, stage=run.stage))


def _settle(study: StudyDefinition, sampled: SampledStudy, trial: SampledTrial, run: RunView | None) -> None:
    values = None if run is None else _values(study, run)
    attributes = {} if run is None else _attributes(run)
    if run is not None and run.trial_state == TrialState.COMPLETE and values is not None:
        sampled.complete(trial.number, values, attributes)
    elif run is not None and run.trial_state == TrialState.PRUNED:
        sampled.prune(trial.number, attributes)
    else:
        sampled.fail(trial.number, attributes)


def _rebuilt(study: StudyDefinition, by_number: Mapping[int, RunView]) -> Iterable[SampledTrial]:
    """The trials of a lost storage, under their old numbers. A number without a run was a repeated point, or
    one that was never trained: another trial holds its place, told as failed.
    """
    first = by_number[min(by_number)]
    for number in range(max(by_number) + 1):
        run = by_number.get(number)
        if run is not None:
            yield _sampled(study, run)
        else:
            attributes = {**_attributes(first), "duplicate_of": first.ref}
            yield SampledTrial(number, study.space.typed(first.params), TrialState.FAILED, None, attributes)


def _sampled(study: StudyDefinition, run: RunView) -> SampledTrial:
    values = _values(study, run)
    state = TrialState.FAILED
    if run.trial_state == TrialState.COMPLETE and values is not None:
        state = TrialState.COMPLETE
    elif run.trial_state == TrialState.PRUNED:
        state = TrialState.PRUNED
    params = study.space.typed(run.params)
    number = run.trial_number or 0
    return SampledTrial(
        number, params, state, values if state is TrialState.COMPLETE else None, _attributes(run)
    )


def _values(study: StudyDefinition, run: RunView) -> tuple[float, ...] | None:
    names = [objective.metric for objective in study.objectives]
    return tuple(run.metrics[name] for name in names) if all(name in run.metrics for name in names) else None


def _folds(names: list[str], run: RunView) -> tuple[Mapping[str, float], ...]:
    columns = [fold_values(run.metrics, name) for name in names]
    return tuple(dict(zip(names, row, strict=True)) for row in zip(*columns, strict=False))


def _attributes(run: RunView) -> dict[str, str]:
    return {"trial_key": run.trial_key or "", "run_key": run.ref, "attempt": str(run.attempt)}
