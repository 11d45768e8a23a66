"""Trains a trial's params again, on all data of the protocol, and keeps the checkpoint."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import rfc8785
from pydantic import JsonValue

from ..domain.canonical import content_digest_text
from ..domain.errors import ArtifactInvalid, NoCompleteTrial, RefitBusy, RefitError
from ..domain.keys import RunKey, TrialKey
from ..domain.manifest import ArtifactKind, ArtifactManifest
from ..domain.recorded_values import metric_values
from ..domain.refit_protocol import RefitProtocol
from ..domain.run import Ending, EndReason, RunStatus
from ..domain.run_events import MetricsLogged, RecordWritten, RunEnded
from ..domain.run_identity import of_refit
from ..domain.run_view import ArtifactState, RunView
from ..domain.search_events import RefitLinked, RefitStarted
from ..domain.seeds import refit_seed
from ..domain.selection.refit_mapping import RefitMapping, RefitRule, map_refit
from ..domain.stage import Stage
from ..domain.stored_run import Lifecycle
from ..domain.study import StudyDefinition
from ..ports.attempt_claims import AttemptClaims
from ..ports.locks import Locks
from ..ports.sampler import TrialState
from .attempts import next_attempt
from .child_process import RunInChild
from .child_watch import OpenedRun
from .ending import ending_without_result, error_text
from .notices import Step
from .recorder import Recorder
from .run_catalog import RunCatalog
from .run_opening import RunOpening
from .store_artifact import ArtifactBuilder
from .sweep_result import TrialRecord
from .train_context import TrainContext, TrainingFunction

RefitReason = Literal["best_trial", "champion", "requested"]


@dataclass(frozen=True, slots=True)
class RefitRequest:
    """Which trial to train again, and how. `train_size` is the number of rows, where it is known."""

    study: StudyDefinition
    trial: TrialRecord
    train: TrainingFunction
    protocol: RefitProtocol
    reason: RefitReason = "best_trial"
    train_size: int | None = None
    force: bool = False


class RefitTrial:
    """The use case: one refit of one trial under one protocol, made once."""

    def __init__(
        self,
        catalog: RunCatalog,
        recorder: Recorder,
        opening: RunOpening,
        artifacts: ArtifactBuilder,
        locks: Locks,
        claims: AttemptClaims,
        children: RunInChild,
        home: Path,
    ) -> None:
        self._catalog = catalog
        self._recorder = recorder
        self._opening = opening
        self._artifacts = artifacts
        self._locks = locks
        self._claims = claims
        self._children = children
        self._home = home

    def __call__(self, request: RefitRequest) -> RefitMapping:
        """The mapping of the trial to its refit. An earlier FINISHED refit of the same trial and protocol with a
        checkpoint is returned, unless `force`. Raises NoCompleteTrial, RefitBusy, RefitError; what the training
        function raises passes through, after the run is FAILED.
        """
        trial_key = request.trial.trial_key
        if request.trial.state is not TrialState.COMPLETE:
            raise NoCompleteTrial(
                f"trial {request.trial.number} is {request.trial.state}: there is no score that a refit stands for",
                cure="name a COMPLETE trial, or none for the best one",
                trial=str(trial_key),
            )
        lock = f"refit-{trial_key.folder}-{request.protocol.key.folder}"
        with self._locks.hold(lock, timeout_s=0.0) as held:
            if not held:
                raise RefitBusy(
                    f"trial {trial_key.short} is being refitted by another process",
                    cure="wait for it to end; its result will be found",
                    trial=str(trial_key),
                )
            refits = self._refits(trial_key)
            known = [r for r in refits if r.protocol_fp == str(request.protocol.key)]
            if not request.force and any(_usable(refit) for refit in known):
                return self._mapping(request)
            self._train(request, known)
            return self._mapping(request)

    def _refits(self, trial_key: TrialKey) -> tuple[RunView, ...]:
        return self._catalog.find([Stage.REFIT], trial_key=trial_key)

    def _mapping(self, request: RefitRequest) -> RefitMapping:
        trial_key = request.trial.trial_key
        runs = self._catalog.find([Stage.TRIAL, Stage.REFIT], trial_key=trial_key)
        return map_refit(
            [run for run in runs if run.stage is Stage.TRIAL],
            [run for run in runs if run.stage is Stage.REFIT],
            RefitRule(protocol_fp=str(request.protocol.key)),
        )

    def _train(self, request: RefitRequest, known: list[RunView]) -> None:
        study, trial = request.study, request.trial
        trial_run = self._trial_run(request)
        sweep = self._session(study, trial_run)
        first = of_refit(self._opening.project.name, trial.trial_key, request.protocol.key, attempt=1)
        identity = next_attempt(first, known, self._claims)
        seed = refit_seed(study.seed_policy, trial.trial_key)
        tokens = {
            "model": study.model_family,
            "study": study.key,
            "study_name": study.name,
            "trial": trial.trial_key,
            "trial_number": trial.number,
        }
        started = self._opening.started(
            identity, tokens, experiment=sweep.experiment, parent=RunKey(sweep.ref)
        )
        self._recorder.record(identity.key, started, _started(request, RunKey(trial_run.ref), seed))
        self._recorder.notify(Step("refit", f"{study.model_family}: trial {trial.number}"))
        folder = self._home / "work" / "refits" / identity.key.folder
        shutil.rmtree(folder, ignore_errors=True)
        try:
            self._run(request, OpenedRun(identity.key, started), trial_run, seed, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _run(
        self, request: RefitRequest, run: OpenedRun, trial_run: RunView, seed: int | None, folder: Path
    ) -> None:
        key = run.key
        context = self._context(request, run, seed, folder / "checkpoint")
        try:
            returned = request.train(context)
            if isinstance(returned, Mapping):
                self._log_metrics(request, key, returned, context.last_step)
            logged = self._artifacts.build(
                folder / "checkpoint",
                name="checkpoint",
                kind=ArtifactKind.CHECKPOINT,
                run_key=key,
                stage=Stage.REFIT,
                study_key=request.study.key,
                trial_key=request.trial.trial_key,
                role="refit",
                required=True,
            )
        except ArtifactInvalid as error:
            self._recorder.record(key, RunEnded(ending=Ending.failed(EndReason.ERROR, error_text(error))))
            raise RefitError(
                f"the refit left no valid checkpoint: {error.problem}",
                cure="write the whole model below context.output_dir when context.fold is None",
                run=str(key),
            ) from error
        except BaseException as error:
            self._recorder.record(key, RunEnded(ending=ending_without_result(error)))
            raise
        linked = RefitLinked(
            trial_run=RunKey(trial_run.ref),
            trial_key=request.trial.trial_key,
            protocol=request.protocol.key,
            content_digest=ArtifactManifest.model_validate(logged.manifest).content_digest,
        )
        self._recorder.record(key, logged, linked, _lineage(trial_run), RunEnded(ending=Ending.finished()))

    def _log_metrics(
        self, request: RefitRequest, key: RunKey, metrics: Mapping[str, float], step: int
    ) -> None:
        """Record what the training measured. Without held-back data the objective's name is left out: the score
        of a refit is its trial's.
        """
        values = metric_values(metrics, Stage.REFIT)
        if request.protocol.validation is None:
            names = {objective.metric for objective in request.study.objectives}
            values = {name: value for name, value in values.items() if name not in names}
        if values:
            self._recorder.record(key, MetricsLogged(metrics=values, step=step))

    def _context(self, request: RefitRequest, run: OpenedRun, seed: int | None, output: Path) -> TrainContext:
        def log_metrics(metrics: Mapping[str, float], step: int) -> None:
            self._log_metrics(request, run.key, metrics, step)

        return TrainContext(
            params=request.trial.params,
            seed=seed,
            fold=None,
            budget=request.protocol.budget,
            objectives=request.study.objectives,
            output_dir=output,
            log_metrics=log_metrics,
            report=lambda value, step: log_metrics({"reported": value}, step),
            should_prune=lambda: False,
            run_command=self._children.of(run),
        )

    def _trial_run(self, request: RefitRequest) -> RunView:
        """The run of the trial's newest COMPLETE attempt."""
        runs = self._catalog.find([Stage.TRIAL], trial_key=request.trial.trial_key)
        complete = [run for run in runs if run.status is RunStatus.FINISHED]
        if not complete:
            raise RefitError(
                f"no FINISHED run of trial {request.trial.number} is in the store",
                cure="sweep first: book.sweep(...)",
                trial=str(request.trial.trial_key),
            )
        return max(complete, key=lambda run: (run.lifecycle is Lifecycle.ACTIVE, run.attempt))

    def _session(self, study: StudyDefinition, trial_run: RunView) -> RunView:
        """The session that holds the trial; where it is gone, the study's newest one."""
        sessions = self._catalog.find([Stage.SWEEP], study_key=study.key)
        if not sessions:
            raise RefitError(
                f"study {study.name!r} has no sweep run to hang a refit on",
                cure="sweep first: book.sweep(...)",
            )
        return max(sessions, key=lambda run: (run.ref == trial_run.parent, run.attempt))


def _usable(refit: RunView) -> bool:
    return (
        refit.status is RunStatus.FINISHED
        and refit.lifecycle is Lifecycle.ACTIVE
        and refit.artifact_state is ArtifactState.AVAILABLE
    )


def _lineage(trial_run: RunView) -> RecordWritten:
    """The ancestors that are known when the refit ends."""
    keys: dict[str, JsonValue] = {
        "study": trial_run.study_key,
        "family": trial_run.family_key,
        "trial": trial_run.trial_key,
    }
    ancestors: list[JsonValue] = [{"run_key": trial_run.ref, "stage": str(Stage.TRIAL), "keys": keys}]
    if trial_run.parent is not None:
        ancestors.append({"run_key": trial_run.parent, "stage": str(Stage.SWEEP)})
    return RecordWritten(
        name="lineage", content=ancestors, digest=content_digest_text(rfc8785.dumps(ancestors))
    )


def _started(request: RefitRequest, trial_run: RunKey, seed: int | None) -> RefitStarted:
    study, trial = request.study, request.trial
    budget = request.protocol.budget
    settings: dict[str, JsonValue] = {
        "refit_budget": budget.model_dump(mode="json") if budget else None,
        "refit_seed": seed,
        "refit_train_size": request.train_size,
    }
    return RefitStarted(
        study_key=study.key,
        family_key=study.family_key,
        study_name=study.name,
        model_family=study.model_family,
        objectives=study.objective_pairs,
        data_key=study.data_key,
        eval_key=study.eval_key,
        data_mode=study.data.mode,
        data_name=study.data.name,
        trial_run=trial_run,
        trial_key=trial.trial_key,
        trial_number=trial.number,
        protocol=request.protocol.key,
        reason=request.reason,
        validation="holdout" if request.protocol.validation else "none",
        params=dict(trial.params),
        settings=settings,
    )
