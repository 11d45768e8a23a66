"""Trains a model for use, from a selection, a refit or from scratch, and keeps it with its lineage."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import rfc8785
from pydantic import JsonValue

from ..domain.canonical import canonical, content_digest_text
from ..domain.data import DataSpec, EvalSpec
from ..domain.errors import ArtifactInvalid, FinalTrainingFailed, InvalidInput
from ..domain.keys import ExecKey, RunKey, SpecKey
from ..domain.manifest import ArtifactKind, ArtifactManifest
from ..domain.product_events import FinalTrainingCompleted, FinalTrainingStarted, Lineage
from ..domain.recorded_values import metric_values, typed_params
from ..domain.run import Ending, EndReason, RunStatus
from ..domain.run_events import MetricsLogged, RecordWritten, RunEnded
from ..domain.run_identity import of_final_training
from ..domain.run_view import ArtifactState, RunView
from ..domain.stage import Stage
from ..domain.stored_run import Lifecycle
from ..domain.study import Budget
from ..domain.training import ExecSpec, Init, TrainingSpec
from ..ports.attempt_claims import AttemptClaims
from .ancestry import lineage_of
from .attempts import next_attempt
from .child_process import RunInChild
from .child_watch import OpenedRun
from .ending import ending_without_result, error_text
from .notices import Step
from .recorder import Recorder
from .run_catalog import RunCatalog
from .run_opening import RunOpening
from .store_artifact import ArtifactBuilder
from .train_context import TrainContext, TrainingFunction

Mode = Literal["reuse", "new_variant"]

_SOURCES = (Stage.TRIAL, Stage.REFIT, Stage.FINAL_TRAINING)


@dataclass(frozen=True, slots=True)
class FinalTrainingRequest:
    """What to train. `source` is the run whose params are taken (a refit), chosen by the run `selection`;
    `params` are overrides, or all of them when there is no source.
    """

    train: TrainingFunction
    model_family: str
    execution: ExecSpec
    source: RunView | None = None
    selection: str | None = None
    params: Mapping[str, object] = field(default_factory=dict)
    data: DataSpec = field(default_factory=DataSpec.undeclared)
    evaluation: EvalSpec = field(default_factory=EvalSpec)
    budget: Budget | None = None
    seed: int | None = None
    full_data: bool = False
    mode: Mode = "reuse"


class TrainFinal:
    """The use case: one variant of a (spec, exec), made once unless another variant is asked for."""

    def __init__(
        self,
        catalog: RunCatalog,
        recorder: Recorder,
        opening: RunOpening,
        artifacts: ArtifactBuilder,
        claims: AttemptClaims,
        children: RunInChild,
        home: Path,
    ) -> None:
        self._catalog = catalog
        self._recorder = recorder
        self._opening = opening
        self._artifacts = artifacts
        self._claims = claims
        self._children = children
        self._home = home

    def __call__(self, request: FinalTrainingRequest) -> RunView:
        """The FINISHED run with its verified model. Raises FinalTrainingFailed when no valid model was written;
        what the training function raises passes through, after the run is FAILED.
        """
        source = request.source
        if source is not None and source.stage not in _SOURCES:
            raise InvalidInput(
                f"run {source.name} is a {source.stage}: it has no hyper-parameters to train with",
                cure="give a selection, a refit mapping, or a run of a trial, a refit or a final training",
                run=source.ref,
            )
        inherited = source.params if source else {}
        params = typed_params({**inherited, **request.params})
        spec = _spec(request, params)
        known = self._catalog.find(
            [Stage.FINAL_TRAINING], training_spec=spec.key, training_exec=request.execution.key
        )
        done = [run for run in known if _usable(run)]
        if done and request.mode == "reuse":
            return max(done, key=lambda run: (run.attempt, run.started_at))
        vocabulary = self._opening.project.vocabulary
        variants = [int(str(vocabulary.read("training.variant", run.tags) or 1)) for run in known]
        pair = canonical({"spec": spec.key, "exec": request.execution.key})
        variant = self._claims.claim(pair, 1 + max(variants, default=0))
        key = self._train(request, params, spec, variant)
        return self._catalog.resolve(key)

    def _train(
        self, request: FinalTrainingRequest, params: dict[str, JsonValue], spec: TrainingSpec, variant: int
    ) -> RunKey:
        spec_key, exec_key = spec.key, request.execution.key
        first = of_final_training(self._opening.project.name, spec_key, exec_key, variant, attempt=1)
        identity = next_attempt(first, (), self._claims)
        lineage = lineage_of(request.source, request.selection)
        lineage = lineage.model_copy(update={"model_family": request.model_family})
        tokens = {
            "model": request.model_family,
            "spec": spec_key,
            "exec": exec_key,
            "variant": variant,
        }
        started = FinalTrainingStarted(
            spec=spec_key,
            exec=exec_key,
            variant=variant,
            full_data=request.full_data,
            data_key=request.data.key,
            eval_key=request.evaluation.key,
            data_mode=request.data.mode,
            data_name=request.data.name,
            params=params,
            settings={
                "training_budget": request.budget.model_dump(mode="json") if request.budget else None,
                "training_seed": request.seed,
                "training_variant": variant,
                "training_init": spec.init.kind,
            },
            lineage=lineage,
        )
        run = OpenedRun(identity.key, self._opening.started(identity, tokens))
        self._recorder.record(run.key, run.started, started)
        self._recorder.notify(Step("final training", request.model_family))
        folder = self._home / "work" / "final" / identity.key.folder
        shutil.rmtree(folder, ignore_errors=True)
        try:
            self._run(request, params, run, (spec_key, exec_key, variant), lineage, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return identity.key

    def _run(
        self,
        request: FinalTrainingRequest,
        params: dict[str, JsonValue],
        run: OpenedRun,
        subject: tuple[SpecKey, ExecKey, int],
        lineage: Lineage,
        folder: Path,
    ) -> None:
        key = run.key

        def log_metrics(metrics: Mapping[str, float], step: int) -> None:
            values = metric_values(metrics, Stage.FINAL_TRAINING)
            self._recorder.record(key, MetricsLogged(metrics=values, step=step))

        context = TrainContext(
            params=params,
            seed=request.seed,
            fold=None,
            budget=request.budget,
            objectives=(),
            output_dir=folder / "model",
            log_metrics=log_metrics,
            report=lambda value, step: log_metrics({"reported": value}, step),
            should_prune=lambda: False,
            run_command=self._children.of(run),
        )
        try:
            returned = request.train(context)
            if isinstance(returned, Mapping) and returned:
                log_metrics(returned, context.last_step)
            logged = self._artifacts.build(
                folder / "model",
                name="model",
                kind=ArtifactKind.MODEL,
                run_key=key,
                stage=Stage.FINAL_TRAINING,
                study_key=lineage.study_key,
                trial_key=lineage.trial_key,
                role="final",
                required=True,
            )
        except ArtifactInvalid as error:
            ending = Ending.failed(EndReason.ERROR, error_text(error))
            self._recorder.record(key, RunEnded(ending=ending))
            raise FinalTrainingFailed(
                f"the final training left no valid model: {error.problem}",
                cure=f"write a whole model below context.output_dir: {error.cure}",
                run=str(key),
            ) from error
        except BaseException as error:
            self._recorder.record(key, RunEnded(ending=ending_without_result(error)))
            raise
        manifest = ArtifactManifest.model_validate(logged.manifest)
        spec, execution, variant = subject
        completed = FinalTrainingCompleted(
            spec=spec,
            exec=execution,
            variant=variant,
            content_digest=manifest.content_digest,
            size_bytes=manifest.total_size,
        )
        ancestors: JsonValue = lineage.model_dump(mode="json")
        record = RecordWritten(
            name="lineage", content=ancestors, digest=content_digest_text(rfc8785.dumps(ancestors))
        )
        self._recorder.record(key, logged, completed, record, RunEnded(ending=Ending.finished()))


def _spec(request: FinalTrainingRequest, params: dict[str, JsonValue]) -> TrainingSpec:
    return TrainingSpec(
        model_family=request.model_family,
        params=params,
        data=request.data.key,
        eval=request.evaluation.key,
        validation=None,
        budget=request.budget,
        seed=request.seed,
        init=Init(kind="scratch"),
    )


def _usable(run: RunView) -> bool:
    return (
        run.status is RunStatus.FINISHED
        and run.lifecycle is Lifecycle.ACTIVE
        and run.artifact_state is ArtifactState.AVAILABLE
    )
