"""A run as the record keeps it: what decisions read, without backend ids, and back again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from ..run import RunStatus
from ..run_view import ArtifactState, KeySchema, RunView
from ..stage import Stage
from ..stored_run import Lifecycle
from .measurement import ITERATIONS

_TEXTS = (
    "parent",
    "family",
    "study_key",
    "trial_key",
    "refit_of",
    "protocol_fp",
    "subject",
    "benchmark_key",
    "trial_state",
    "dataset_version",
    "service_best",
)
PARAMS = (ITERATIONS, "benchmark_device")


def trimmed(run: RunView, metrics: frozenset[str]) -> RunView:
    """The run with what decisions read only: `metrics` by name, and the folds of those."""
    folds = _fold_prefixes(metrics)
    # Written out: `replace` costs several times as much, for each of very many runs.
    return RunView(
        ref=run.ref,
        run_id="",
        stage=run.stage,
        status=run.status,
        lifecycle=run.lifecycle,
        experiment=run.experiment,
        name="",
        started_at=run.started_at,
        ended_at=run.ended_at,
        parent=run.parent,
        family=run.family,
        study_key=run.study_key,
        trial_key=run.trial_key,
        key_schema=run.key_schema,
        attempt=run.attempt,
        refit_of=run.refit_of,
        protocol_fp=run.protocol_fp,
        subject=run.subject,
        benchmark_key=run.benchmark_key,
        environment=run.environment,
        objectives=run.objectives,
        trial_state=run.trial_state,
        error=run.error,
        artifact_state=run.artifact_state,
        params=run.params and {name: str(run.params[name]) for name in PARAMS if name in run.params},
        metrics={
            name: _number(value)
            for name, value in run.metrics.items()
            if name in metrics or (name.startswith(folds) and name.rpartition("_")[2].isdecimal())
        },
        folds=tuple(_number(value) for value in run.folds),
        dataset_version=run.dataset_version,
        service_best=run.service_best,
    )


@lru_cache(maxsize=8)
def _fold_prefixes(metrics: frozenset[str]) -> tuple[str, ...]:
    """How the names of these metrics' fold values begin."""
    return tuple(f"{name}_fold_" for name in metrics)


def stub(run: RunView) -> RunView:
    """The run with its identity only: enough to know that it exists and of which trial it is."""
    kept = trimmed(run, frozenset())
    return replace(
        kept,
        params={},
        folds=(),
        environment={},
        objectives=(),
        protocol_fp=None,
        artifact_state=ArtifactState.UNKNOWN,
        parent=None,
    )


def run_json(run: RunView) -> dict[str, Any]:
    """The JSON object of a trimmed run; times are text, absent fields are left out."""
    record: dict[str, Any] = {
        "ref": run.ref,
        "stage": run.stage.value if run.stage else None,
        "status": run.status.value,
        "lifecycle": run.lifecycle.value,
        "experiment": run.experiment,
        "started_at": str(run.started_at),
        "ended_at": None if run.ended_at is None else str(run.ended_at),
        "attempt": run.attempt,
        "key_schema": run.key_schema.value if run.key_schema else None,
        "artifact_state": run.artifact_state.value,
        "environment": dict(run.environment),
        "objectives": [list(pair) for pair in run.objectives],
        "params": dict(run.params),
        "metrics": {name: _to_json(value) for name, value in run.metrics.items()},
        "folds": [_to_json(value) for value in run.folds],
        **{name: getattr(run, name) for name in _TEXTS},
    }
    return {name: value for name, value in record.items() if value not in (None, [], {})}


def run_from_json(record: Mapping[str, Any]) -> RunView:
    """The run of a JSON object made by `run_json`."""
    stage, schema, ended = record.get("stage"), record.get("key_schema"), record.get("ended_at")
    view = RunView(
        ref=record["ref"],
        run_id="",
        stage=Stage(stage) if stage else None,
        status=RunStatus(record["status"]),
        lifecycle=Lifecycle(record["lifecycle"]),
        experiment=record["experiment"],
        name="",
        started_at=int(record["started_at"]),
        ended_at=None if ended is None else int(ended),
        attempt=record["attempt"],
        key_schema=KeySchema(schema) if schema else None,
        artifact_state=ArtifactState(record["artifact_state"]),
        environment=dict(record.get("environment", {})),
        objectives=tuple((metric, direction) for metric, direction in record.get("objectives", [])),
        params=dict(record.get("params", {})),
        metrics={name: _from_json(value) for name, value in record.get("metrics", {}).items()},
        folds=tuple(_from_json(value) for value in record.get("folds", [])),
    )
    texts: dict[str, Any] = {name: record.get(name) for name in _TEXTS}
    return replace(view, **texts)


def _number(value: object) -> float:
    """A stored value as a float; what is no number becomes NaN, and is rejected as such."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value) + 0.0
    except OverflowError:
        return math.inf


def _to_json(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _from_json(value: float | str) -> float:
    return float(value)
