"""Sweeps a study: opens a session, runs its trials, closes it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import rfc8785
from pydantic import JsonValue

from ..domain.canonical import content_digest_text
from ..domain.errors import StudyBusy, StudyInvalid, SweepFailed
from ..domain.keys import RunKey
from ..domain.run import Ending, EndReason
from ..domain.run_events import RecordWritten, RunEnded, RunStarted
from ..domain.run_identity import of_sweep
from ..domain.search_events import StudyClosed, StudyOpened
from ..domain.seeds import sampler_seed
from ..ports.clock import Clock
from ..ports.locks import Locks
from ..ports.sampler import SampledStudy, Sampler, TrialState
from ..ports.trial_executor import TrialExecutor
from .ending import ending_without_result
from .recorder import Recorder
from .run_opening import RunOpening
from .study_history import HistoryReader, StudyHistory
from .sweep_result import SweepResult, TrialRecord, best_of, pareto_of
from .sweep_session import SweepRequest, SweepSession
from .trial_runner import TrialRunner


class RunSweep:
    """The use case: one session of a study, or none when its trials are reached."""

    def __init__(
        self,
        sampler: Sampler,
        executor: TrialExecutor,
        history: HistoryReader,
        runner: TrialRunner,
        recorder: Recorder,
        opening: RunOpening,
        locks: Locks,
        clock: Clock,
        home: Path,
    ) -> None:
        self._sampler = sampler
        self._executor = executor
        self._history = history
        self._runner = runner
        self._recorder = recorder
        self._opening = opening
        self._locks = locks
        self._clock = clock
        self._home = home

    def __call__(self, request: SweepRequest) -> SweepResult:
        """Run until the study has its trials. Raises StudyInvalid, StudyBusy, SweepFailed.

        A failing trial is FAILED, and the sweep goes on; KeyboardInterrupt and SystemExit end it KILLED and
        pass on.
        """
        _check(request)
        key = request.study.key
        with self._locks.hold(f"study-{key.folder}", timeout_s=0.0) as held:
            if not held:
                raise StudyBusy(
                    f"another process is sweeping study {request.study.name!r} ({key.short})",
                    cure="wait for it to end, or run the sweep from one place with workers=",
                    study=str(key),
                )
            return self._sweep(request)

    def _sweep(self, request: SweepRequest) -> SweepResult:
        study = request.study
        seen = self._sampler.open(study, sampler_seed(study.seed_policy, 0, 0))
        try:
            history = self._history.read(study, seen)
        finally:
            seen.close()
        done = [t for t in history.trials if t.state is not TrialState.FAILED]
        if len(done) >= request.trials and history.sessions:
            return SweepResult(study, RunKey(history.sessions[-1].ref), None, history.trials)
        seed = sampler_seed(study.seed_policy, len(history.trials), 0)
        sampled = self._sampler.open(study, seed)
        try:
            return self._session(request, sampled, history)
        finally:
            sampled.close()

    def _session(self, request: SweepRequest, sampled: SampledStudy, history: StudyHistory) -> SweepResult:
        study = request.study
        number = history.last_session + 1
        identity = of_sweep(self._opening.project.name, study.key, number)
        tokens = {"model": study.model_family, "study": study.key, "study_name": study.name}
        started = self._opening.started(identity, tokens)
        self._open(request, identity.key, started, number)
        session = SweepSession(
            request,
            sampled,
            history,
            identity.key,
            started.experiment,
            runner=self._runner,
            recorder=self._recorder,
            opening=self._opening,
            clock=self._clock,
            work_dir=self._home / "work" / study.key.folder,
        )
        try:
            self._executor.run(session.next_task, request.workers)
        except BaseException as error:
            self._close(identity.key, session.trials, request, "interrupted", ending_without_result(error))
            raise
        failed = session.outcome == "failed"
        ending = Ending.finished()
        if failed:
            ending = Ending.failed(EndReason.TOO_MANY_FAILURES, _commonest(session.errors))
        self._close(identity.key, session.trials, request, session.outcome, ending)
        if failed:
            raise _failure(request, session.errors)
        return SweepResult(study, identity.key, session.outcome, session.trials)

    def _open(self, request: SweepRequest, key: RunKey, started: RunStarted, number: int) -> None:
        study = request.study
        opened = StudyOpened(
            study_key=study.key,
            family_key=study.family_key,
            data_key=study.data_key,
            eval_key=study.eval_key,
            data_mode=study.data.mode,
            data_name=study.data.name,
            name=study.name,
            model_family=study.model_family,
            objectives=study.objective_pairs,
            refit_planned=request.refit_planned,
            session=number,
            settings=_settings(request, number),
        )
        folds: list[JsonValue] = [
            {
                "index": fold.index,
                "digest": fold.digest,
                "train_size": len(fold.train),
                "validation_size": len(fold.validation),
            }
            for fold in request.folds
            if fold is not None
        ]
        definition: JsonValue = {"payload": study.payload(), "settings": _settings(request, number)}
        self._recorder.record(key, started, opened, _record("study", definition), _record("folds", folds))

    def _close(
        self,
        key: RunKey,
        trials: tuple[TrialRecord, ...],
        request: SweepRequest,
        outcome: str,
        ending: Ending,
    ) -> None:
        best = best_of(request.study, trials)
        counted = SweepResult(request.study, key, outcome, trials).counts()
        counts = {f"trials_{name}": number for name, number in counted.items()}
        pareto = pareto_of(request.study, trials) if len(request.study.objectives) > 1 else ()
        if len(request.study.objectives) > 1:
            counts["pareto_size"] = len(pareto)
        closed = StudyClosed.model_validate(
            {
                "outcome": outcome,
                "counts": counts,
                "best_trial": best.trial_key if best else None,
                "best_run": best.run_key if best else None,
            }
        )
        on_front = {trial.number for trial in pareto}
        rows: list[JsonValue] = [_row(trial, in_pareto_set=trial.number in on_front) for trial in trials]
        self._recorder.record(key, closed, _record("trials", rows), RunEnded(ending=ending))


def _check(request: SweepRequest) -> None:
    if not callable(request.train):
        raise StudyInvalid(
            f"the training function is a {type(request.train).__name__}",
            cure="give a function that takes the context and returns the metrics",
        )
    counts: dict[str, object] = {
        "trials": request.trials,
        "workers": request.workers,
        "max_consecutive_failures": request.max_consecutive_failures,
    }
    if request.max_failed_trials is not None:
        counts["max_failed_trials"] = request.max_failed_trials
    for name, count in counts.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise StudyInvalid(
                f"{name}={count!r}: a sweep needs a whole number", cure=f"give {name}=1 or more"
            )
    timeout: object = request.timeout_s
    if timeout is not None and not (isinstance(timeout, int | float) and timeout > 0):
        raise StudyInvalid(
            f"timeout_s={timeout!r} leaves no time for a trial",
            cure="give timeout_s= more than 0 seconds, or leave it out",
        )
    if request.duplicates not in ("reuse", "rerun"):
        raise StudyInvalid(f"duplicates={request.duplicates!r}", cure="use 'reuse' or 'rerun'")


def _settings(request: SweepRequest, number: int) -> dict[str, JsonValue]:
    study = request.study
    validation = study.validation
    seed_policy = study.seed_policy
    count = getattr(validation, "count", None)
    return {
        "study_name": study.name,
        "model_family": study.model_family,
        "objectives": ", ".join(f"{metric}:{direction}" for metric, direction in study.objective_pairs),
        "n_trials": request.trials,
        "timeout_s": request.timeout_s,
        "max_failed_trials": request.max_failed_trials,
        "max_consecutive_failures": request.max_consecutive_failures,
        "duplicates": request.duplicates,
        "workers": request.workers,
        "sampler": study.sampling.algorithm,
        "pruner": study.pruning.algorithm if study.pruning else None,
        "validation": f"{validation.kind}:{count}" if count else str(validation.kind),
        "fold_aggregate": str(study.fold_aggregate),
        "split_seed": getattr(validation, "seed", None),
        "seed_policy": str(seed_policy.kind),
        "seed": seed_policy.base,
        "budget": study.budget.model_dump(mode="json") if study.budget else None,
        "session": number,
    }


def _record(name: str, content: JsonValue) -> RecordWritten:
    return RecordWritten(name=name, content=content, digest=content_digest_text(rfc8785.dumps(content)))


def _row(trial: TrialRecord, *, in_pareto_set: bool) -> JsonValue:
    row: dict[str, JsonValue] = {
        "number": trial.number,
        "trial_key": str(trial.trial_key),
        "run_key": str(trial.run_key),
        "attempt": trial.attempt,
        "state": str(trial.state),
        "params": dict(trial.params),
        "values": dict(trial.values) if trial.values is not None else None,
        "folds": [dict(fold) for fold in trial.folds],
        "duplicate_of": str(trial.duplicate_of) if trial.duplicate_of else None,
    }
    return {**row, "pareto": True} if in_pareto_set else row


def _commonest(errors: list[str]) -> str:
    return Counter(errors).most_common(1)[0][0] if errors else "no error recorded"


def _failure(request: SweepRequest, errors: list[str]) -> SweepFailed:
    return SweepFailed(
        f"the sweep of {request.study.name!r} stopped: {len(errors)} trials failed, "
        f"most often with {_commonest(errors)}",
        cure="mend the training function or narrow the space; `studbook runs --stage hpo_trial` shows each error",
        errors=errors,
    )
