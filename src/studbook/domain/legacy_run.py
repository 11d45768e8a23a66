"""Runs that studbook did not record: legacy ones by their `code.*` tags, foreign ones as they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypedDict

from .run import EndReason, RunStatus
from .run_view import ArtifactState, KeySchema, RunView
from .stage import Stage
from .stored_run import Lifecycle, StoredRun
from .vocabulary import Vocabulary

_SCHEMAS = {"2.0": KeySchema.V2, "1.0": KeySchema.V1, "1": KeySchema.V1}
_DIRECTIONS = ("maximize", "minimize")
_FLAGS = {
    **dict.fromkeys(("true", "yes", "1"), ArtifactState.AVAILABLE),
    **dict.fromkeys(("false", "no", "0"), ArtifactState.UNAVAILABLE),
}
_STAGES = {
    "hpo_refit": Stage.REFIT,
    "final_training": Stage.FINAL_TRAINING,
    "conversion": Stage.CONVERSION,
    "benchmarking": Stage.BENCHMARK,
    "benchmark": Stage.BENCHMARK,
}
_ANCESTORS = ("sweep", "trial", "refit", "parent")
_DIGITS = re.compile(r"[0-9]{1,18}")


def read_legacy_run(run: StoredRun, vocabulary: Vocabulary, objective: str | None) -> RunView:
    """A run without run.schema. A run that is no legacy one either has no stage and no keys.

    Legacy keys are opaque text. A tag that holds a backend run id becomes the ref `run:<id>`.
    """
    legacy = _Legacy(run, vocabulary)
    if not legacy.is_legacy:
        return RunView(
            **legacy.plain_fields(),
            stage=None,
            status=run.status,
            metrics=run.metrics,
            params=dict(run.params),
        )
    objectives = legacy.objectives()
    metric = objective or (objectives[0][0] if objectives else legacy.metric)
    interrupted = legacy.interrupted
    return RunView(
        **legacy.plain_fields(),
        stage=legacy.stage,
        status=RunStatus.KILLED if interrupted else run.status,
        end_reason=EndReason.INTERRUPTED.value if interrupted else None,
        family=run.params.get("backbone") or legacy.text("study.model_family"),
        study_key=legacy.text("study.key"),
        family_key=legacy.text("study.family_key"),
        trial_key=legacy.text("trial.key"),
        trial_number=legacy.number("trial.number"),
        key_schema=_SCHEMAS.get(run.tags.get("code.study.key_schema_version", "")),
        refit_of=_ref(legacy.text("refit.of")),
        protocol_fp=legacy.text("refit.protocol"),
        subject=legacy.subject,
        benchmark_key=legacy.text("benchmark.key"),
        environment=legacy.environment(),
        objectives=objectives,
        artifact_state=_FLAGS.get(run.tags.get("code.artifact.available", "").lower(), ArtifactState.UNKNOWN),
        params=dict(run.params),
        metrics=with_objective(run.metrics, metric),
        folds=fold_scores(run.metrics, metric),
        lineage=legacy.lineage(),
    )


def with_objective(metrics: Mapping[str, float], objective: str | None) -> dict[str, float]:
    """The metrics, the objective among them: legacy trials hold its mean over the folds as `cv_mean`."""
    found = dict(metrics)
    if objective is not None and "cv_mean" in found:
        found.setdefault(objective, found["cv_mean"])
    return found


def fold_scores(metrics: Mapping[str, float], objective: str | None) -> tuple[float, ...]:
    """The objective's values by fold, up to the first gap: `fold_<i>_<objective>`."""
    values: list[float] = []
    while objective and (value := metrics.get(f"fold_{len(values)}_{objective}")) is not None:
        values.append(value)
    return tuple(values)


def _ref(run_id: str | None) -> str | None:
    return f"run:{run_id}" if run_id else None


class _PlainFields(TypedDict):
    ref: str
    run_id: str
    lifecycle: Lifecycle
    experiment: str
    name: str
    started_at: int
    ended_at: int | None
    parent: str | None
    tags: dict[str, str]


class _Legacy:
    def __init__(self, run: StoredRun, vocabulary: Vocabulary) -> None:
        self._run = run
        self._tags = run.tags
        self._vocabulary = vocabulary

    @property
    def is_legacy(self) -> bool:
        return (
            any(key.startswith("code.") for key in self._tags)
            or "fold_idx" in self._tags
            or "trial_number" in self._tags
        )

    def plain_fields(self) -> _PlainFields:
        run = self._run
        return {
            "ref": f"run:{run.run_id}",
            "run_id": run.run_id,
            "lifecycle": run.lifecycle,
            "experiment": run.experiment,
            "name": run.name,
            "started_at": run.started_at_ms,
            "ended_at": run.ended_at_ms,
            "parent": _ref(self._parent_id),
            "tags": run.tags,
        }

    def text(self, name: str) -> str | None:
        found = self._vocabulary.find(name, self._tags, legacy=True)
        return found[1] if found else None

    def number(self, name: str) -> int | None:
        text = self.text(name)
        return int(text) if text and _DIGITS.fullmatch(text) else None

    @property
    def _parent_id(self) -> str | None:
        return self._run.parent_id or self.text("run.parent_id")

    @property
    def stage(self) -> Stage | None:
        word = self._tags.get("code.stage")
        if word in _STAGES:
            return _STAGES[word]
        if word in (None, "hpo", "hpo_sweep") and self._parent_id is None:
            types = (self._tags.get("mlflow.runType"), self._tags.get("azureml.runType"))
            return Stage.SWEEP if "sweep" in types or self.text("study.key") else None
        if word in ("hpo", "hpo_trial") and self._parent_id is not None:
            return Stage.TRIAL
        return Stage.FOLD if word is None and "fold_idx" in self._tags else None

    @property
    def interrupted(self) -> bool:
        flags = (self._tags.get("code.interrupted"), self._tags.get("interrupted"))
        return self._run.status is RunStatus.RUNNING and any(
            flag is not None and flag.lower() == "true" for flag in flags
        )

    @property
    def subject(self) -> str | None:
        first, *rest = self._key_fields
        return _ref(first if rest else self._tags.get("code.lineage.hpo_refit_run_id"))

    @property
    def _key_fields(self) -> list[str]:
        """The fields of a legacy benchmark key: the run measured, the data, …"""
        return (self.text("benchmark.key") or "").split(":")

    def environment(self) -> dict[str, str]:
        """What is known of a benchmark's environment."""
        params, (_, *rest) = self._run.params, self._key_fields
        device = params.get("benchmark_device")
        known = {
            "device": None if device == "auto" else device,
            "sequence_length": params.get("benchmark_max_length"),
            "data_fp": rest[0] if rest else None,
        }
        return {name: text for name, text in known.items() if text} if self.stage is Stage.BENCHMARK else {}

    @property
    def metric(self) -> str | None:
        params = self._run.params
        return params.get("objective_metric") or params.get("primary_metric")

    def objectives(self) -> tuple[tuple[str, str], ...]:
        direction = self._tags.get("code.objective.direction", "").lower()
        return ((self.metric, direction),) if self.metric and direction in _DIRECTIONS else ()

    def lineage(self) -> dict[str, str]:
        found = {word: _ref(self.text(f"lineage.{word}")) for word in _ANCESTORS}
        return {word: ref for word, ref in found.items() if ref is not None}
