"""What is known of a study when a session opens: its trials so far, whatever became of their processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..domain.keys import RunKey, TrialKey
from ..domain.run import RunStatus
from ..domain.run_events import RunReaped
from ..domain.run_identity import of_trial
from ..domain.run_view import RunView
from ..domain.stage import Stage
from ..domain.study import StudyDefinition
from ..domain.trial import trial_key
from ..ports.sampler import SampledStudy, SampledTrial, TrialState
from .recorder import Recorder
from .run_catalog import RunCatalog
from .sweep_result import TrialRecord

_INNERMOST_FIRST = (Stage.FOLD, Stage.TRIAL, Stage.SWEEP)


@dataclass(frozen=True, slots=True)
class StudyHistory:
    """A study before a session: its sweep runs, oldest first, and its trials by number."""

    sessions: tuple[RunView, ...]
    trials: tuple[TrialRecord, ...]
    reaped: tuple[str, ...] = field(default=())

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
        reaped = self._reap(runs)
        by_number = {
            run.trial_number: run for run in runs if run.stage is Stage.TRIAL and run.trial_number is not None
        }
        if not sampled.trials():
            for number in sorted(by_number):
                sampled.add(_rebuilt(study, by_number[number]))
        for trial in sampled.trials():
            if trial.state is TrialState.RUNNING:
                _settle(study, sampled, trial, by_number.get(trial.number))
        sessions = tuple(run for run in runs if run.stage is Stage.SWEEP)
        return StudyHistory(sessions, self.records(study, sampled), reaped)

    def records(self, study: StudyDefinition, sampled: SampledStudy) -> tuple[TrialRecord, ...]:
        """The storage's trials; identities that it lacks are computed."""
        records: list[TrialRecord] = []
        seen: dict[TrialKey, int] = {}
        for trial in sampled.trials():
            key = trial_key(study.key, trial.params)
            seen[key] = seen.get(key, 0) + 1
            records.append(self._record(study, trial, key, seen[key]))
        return tuple(records)

    def _record(self, study: StudyDefinition, trial: SampledTrial, key: TrialKey, nth: int) -> TrialRecord:
        attributes: Mapping[str, str] = trial.attributes
        attempt = int(attributes.get("attempt", nth))
        run_key = attributes.get("run_key") or of_trial(self._project, key, attempt).key
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
        )

    def _reap(self, runs: tuple[RunView, ...]) -> tuple[str, ...]:
        """End this home's runs that are still open: nobody else runs the study while its lock is held."""
        open_runs = [
            run
            for stage in _INNERMOST_FIRST
            for run in runs
            if run.stage is stage and run.status is RunStatus.RUNNING and self._catalog.is_ours(run)
        ]
        for run in open_runs:
            lost = RunReaped(reason="lost", last_event_ns=run.started_at * 1_000_000, stage=run.stage)
            self._recorder.record(RunKey(run.ref), lost)
        return tuple(run.ref for run in open_runs)


def _settle(study: StudyDefinition, sampled: SampledStudy, trial: SampledTrial, run: RunView | None) -> None:
    values = None if run is None else _values(study, run)
    attributes = {} if run is None else _attributes(run)
    if run is not None and run.trial_state == TrialState.COMPLETE and values is not None:
        sampled.complete(trial.number, values, attributes)
    elif run is not None and run.trial_state == TrialState.PRUNED:
        sampled.prune(trial.number, attributes)
    else:
        sampled.fail(trial.number, attributes)


def _rebuilt(study: StudyDefinition, run: RunView) -> SampledTrial:
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


def _attributes(run: RunView) -> dict[str, str]:
    return {"trial_key": run.trial_key or "", "run_key": run.ref, "attempt": str(run.attempt)}
