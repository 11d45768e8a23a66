"""One session of a study: asks for points, has them trained, tells their values, and knows when to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ..domain.folds import Fold
from ..domain.keys import RunKey, TrialKey
from ..domain.run import EndReason
from ..domain.run_events import MetricsLogged, RunStarted
from ..domain.run_identity import RunIdentity, of_trial
from ..domain.run_writes import milliseconds
from ..domain.search_events import TrialCompleted, TrialPruned, TrialStarted
from ..domain.seeds import trial_seed
from ..domain.study import StudyDefinition
from ..domain.trial import trial_key
from ..ports.clock import Clock
from ..ports.sampler import Proposal, SampledStudy, TrialState
from .ending import error_text
from .notices import SweepProgress
from .recorder import Recorder
from .run_opening import RunOpening
from .study_history import StudyHistory
from .sweep_result import TrialRecord, best_of
from .train_context import TrainingFunction
from .trial_plan import Completed, Failed, Outcome, Pruned, TrialPlan
from .trial_runner import Pruner, TrialRunner

_ATTEMPTS_OF_A_FAILING_POINT = 3

SessionOutcome = Literal["completed", "exhausted", "timeout", "stopped", "failed"]


@dataclass(frozen=True, slots=True)
class SweepRequest:
    """What to search, and how far. `folds` is empty when the training function evaluates in its own way.

    `trials` counts COMPLETE, PRUNED and repeated points over all sessions of the study; `timeout_s` seconds is
    for this session; failures beyond `max_failed_trials` in all, or `max_consecutive_failures` in a row, end it.
    """

    study: StudyDefinition
    train: TrainingFunction
    trials: int
    folds: tuple[Fold | None, ...] = ()
    workers: int = 1
    timeout_s: float | None = None
    max_failed_trials: int | None = None
    max_consecutive_failures: int = 5
    duplicates: Literal["reuse", "rerun"] = "reuse"
    fold_runs: bool = True
    refit_planned: bool = True


class SweepSession:
    """The coordinator's state. `next_task` is called from one thread; tasks end in any."""

    def __init__(
        self,
        request: SweepRequest,
        sampled: SampledStudy,
        history: StudyHistory,
        sweep: RunKey,
        experiment: str,
        *,
        runner: TrialRunner,
        recorder: Recorder,
        opening: RunOpening,
        clock: Clock,
        work_dir: Path,
    ) -> None:
        self._request = request
        self._study: StudyDefinition = request.study
        self._sampled = sampled
        self._sweep = sweep
        self._experiment = experiment
        self._runner = runner
        self._recorder = recorder
        self._opening = opening
        self._clock = clock
        self._work_dir = work_dir
        self._changed = threading.Condition()
        self._records: dict[int, TrialRecord] = {record.number: record for record in history.trials}
        self._scored_folds = dict(history.scored_folds)
        self._started_ns = clock.monotonic_ns()
        self._consecutive_failures = 0
        self._failed = 0
        self._stop_asked = False
        self._broken = False
        self.outcome: SessionOutcome = "completed"
        self.errors: list[str] = []

    @property
    def trials(self) -> tuple[TrialRecord, ...]:
        """All trials of the study so far, by number."""
        with self._changed:
            return tuple(self._records[number] for number in sorted(self._records))

    def stop(self) -> None:
        """Ask for no more points; running trials end normally."""
        with self._changed:
            self._stop_asked = True
            self._changed.notify_all()

    def next_task(self) -> Callable[[], None] | None:
        """The next trial to run, or None when the session is over."""
        while self._may_ask():
            with self._changed:
                proposal = self._sampled.ask()
            if proposal is None:
                self.outcome = "exhausted"
                return None
            task = self._task(proposal)
            if task is not None:
                return task
        return None

    def _may_ask(self) -> bool:
        with self._changed:
            while True:
                if self._over():
                    return False
                running = sum(1 for r in self._records.values() if r.state is TrialState.RUNNING)
                if running == 0 or self._done() + running < self._request.trials:
                    return True
                self._changed.wait()

    def _over(self) -> bool:
        request = self._request
        elapsed = (self._clock.monotonic_ns() - self._started_ns) / 1e9
        if self._broken:
            return True
        if self._stop_asked:
            self.outcome = "stopped"
        elif self._done() >= request.trials:
            self.outcome = "completed"
        elif self._consecutive_failures >= request.max_consecutive_failures or self._failed >= (
            request.max_failed_trials or request.trials
        ):
            self.outcome = "failed"
        elif request.timeout_s is not None and elapsed >= request.timeout_s:
            self.outcome = "timeout"
        else:
            return False
        return True

    def _done(self) -> int:
        return sum(
            1 for record in self._records.values() if record.state in (TrialState.COMPLETE, TrialState.PRUNED)
        )

    def _task(self, proposal: Proposal) -> Callable[[], None] | None:
        params = self._study.space.typed(proposal.params)
        key = trial_key(self._study.key, params)
        with self._changed:
            same = [record for record in self._records.values() if record.trial_key == key]
        if self._request.duplicates == "reuse" and self._repeated(proposal, key, same):
            return None
        attempt = 1 + max((record.attempt for record in same), default=0)
        identity = of_trial(self._opening.project.name, key, attempt)
        record = TrialRecord(proposal.number, key, identity.key, attempt, TrialState.RUNNING, params)
        started, started_at = self._start(identity, record)
        record = replace(record, started_at=started_at)
        with self._changed:
            self._records[record.number] = record
        plan = TrialPlan(
            study=self._study,
            train=self._request.train,
            number=record.number,
            trial_key=key,
            run_key=record.run_key,
            started=started,
            attempt=attempt,
            params=params,
            seed=trial_seed(self._study.seed_policy, key),
            experiment=self._experiment,
            folds=self._request.folds,
            fold_runs=self._request.fold_runs,
            work_dir=self._work_dir / f"{key.folder}-{attempt}",
            scored_folds=self._scored_folds if self._request.duplicates == "reuse" else {},
        )
        return lambda: self._train(plan, record)

    def _repeated(self, proposal: Proposal, key: TrialKey, same: list[TrialRecord]) -> bool:
        """Tell a point that was tried before without training it again."""
        earlier = next((r for r in same if r.state in (TrialState.COMPLETE, TrialState.PRUNED)), None)
        failures = [r for r in same if r.state is TrialState.FAILED and r.duplicate_of is None]
        if earlier is None and len(failures) < _ATTEMPTS_OF_A_FAILING_POINT:
            return False
        source = earlier or failures[-1]
        attributes = {
            "trial_key": str(key),
            "run_key": str(source.run_key),
            "attempt": str(source.attempt),
            "duplicate_of": str(source.run_key),
        }
        number = proposal.number
        record = replace(source, number=number, duplicate_of=source.run_key)
        with self._changed:
            self._records[number] = record
            if earlier is None:
                self._sampled.fail(number, attributes)
                self._count_failure(source.error or "a point that had failed before")
                return True
            if earlier.values is None:
                self._sampled.prune(number, attributes)
            else:
                self._sampled.complete(number, tuple(earlier.values.values()), attributes)
        if earlier.values is None:
            event: TrialPruned | TrialCompleted = TrialPruned(
                number=number, trial_key=key, step=0, duplicate_of=source.run_key
            )
        else:
            event = TrialCompleted(
                number=number,
                trial_key=key,
                values=dict(earlier.values),
                metrics={},
                duplicate_of=source.run_key,
            )
        self._recorder.record(self._sweep, event)
        self._tell_progress()
        return True

    def _start(self, identity: RunIdentity, record: TrialRecord) -> tuple[RunStarted, int]:
        """Begin the trial's run; how, and when, in UTC milliseconds."""
        study = self._study
        tokens = {
            "model": study.model_family,
            "study": study.key,
            "trial": record.trial_key,
            "trial_number": record.number,
        }
        started = self._opening.started(identity, tokens, experiment=self._experiment, parent=self._sweep)
        first, _ = self._recorder.record(
            identity.key,
            started,
            TrialStarted(
                study_key=study.key,
                family_key=study.family_key,
                model_family=study.model_family,
                objectives=study.objective_pairs,
                trial_key=record.trial_key,
                number=record.number,
                params=dict(record.params),
            ),
        )
        return started, milliseconds(first.occurred_at_ns)

    def _train(self, plan: TrialPlan, record: TrialRecord) -> None:
        try:
            try:
                outcome, ended_ns = self._runner.run(plan, self._pruner(record.number))
            except BaseException as error:
                self._break_off()
                self._end(record, Failed(reason=EndReason.ERROR, error=error_text(error)))
                raise
            self._end(replace(record, ended_at=milliseconds(ended_ns)), outcome)
        except BaseException:
            self._break_off()
            raise

    def _break_off(self) -> None:
        """No further trial: an error that is not the trial's own is on its way to the caller."""
        with self._changed:
            self._broken = True
            self._changed.notify_all()

    def _pruner(self, number: int) -> Pruner:
        def report(value: float, step: int) -> None:
            with self._changed:
                self._sampled.report(number, value, step)

        def should_prune() -> bool:
            with self._changed:
                return self._sampled.should_prune(number)

        return Pruner(report, should_prune)

    def _end(self, record: TrialRecord, outcome: Outcome) -> None:
        attributes = {
            "trial_key": str(record.trial_key),
            "run_key": str(record.run_key),
            "attempt": str(record.attempt),
        }
        number = record.number
        with self._changed:
            best_before = best_of(self._study, tuple(self._records.values()))
            match outcome:
                case Completed(values, _, folds, _):
                    self._sampled.complete(number, tuple(values.values()), attributes)
                    ended = replace(record, state=TrialState.COMPLETE, values=values, folds=folds)
                case Pruned():
                    self._sampled.prune(number, attributes)
                    ended = replace(record, state=TrialState.PRUNED)
                case Failed(_, error):
                    self._sampled.fail(number, attributes)
                    ended = replace(record, state=TrialState.FAILED, error=error)
                    self._count_failure(error)
            if ended.state is not TrialState.FAILED:
                self._consecutive_failures = 0
            self._records[number] = ended
            best = best_of(self._study, tuple(self._records.values()))
            complete = sum(1 for r in self._records.values() if r.state is TrialState.COMPLETE)
            self._changed.notify_all()
        value, value_before = self._value(best), self._value(best_before)
        if value is not None and value != value_before:
            metric = self._study.objectives[0].metric
            self._recorder.record(
                self._sweep, MetricsLogged(metrics={f"best_{metric}": value}, step=complete)
            )
        self._tell_progress()

    def _count_failure(self, error: str) -> None:
        self.errors.append(error)
        self._failed += 1
        self._consecutive_failures += 1

    def _value(self, trial: TrialRecord | None) -> float | None:
        """The value of the one objective."""
        return trial.values[self._study.objectives[0].metric] if trial and trial.values else None

    def _tell_progress(self) -> None:
        trials = self.trials
        best = best_of(self._study, trials)
        states = [trial.state for trial in trials]
        self._recorder.notify(
            SweepProgress(
                study_name=self._study.name,
                family=self._study.model_family,
                trials_done=self._done(),
                trials_total=self._request.trials,
                best=self._value(best),
                states={str(state): states.count(state) for state in TrialState},
            )
        )
