"""What decisions read of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .run import RunStatus
from .stage import Stage
from .stored_run import Lifecycle

NOTHING: Mapping[str, Any] = {}
"""What a run has none of: one object for all runs, as most of very many have no environment, artifacts or lineage."""


class ArtifactState(StrEnum):
    """Whether a run's files can be counted on."""

    AVAILABLE = "AVAILABLE"
    UNAVAILABLE = "UNAVAILABLE"
    UNKNOWN = "UNKNOWN"


class KeySchema(StrEnum):
    """Whose rules made a run's keys."""

    V1 = "v1"
    V2 = "v2"
    V3 = "v3"
    NATIVE = "native"


@dataclass(frozen=True, slots=True)
class RunView:
    """One stored run, parsed. Times are UTC milliseconds.

    `ref` is the run key, or `run:<backend id>` for a run that has none; `parent`, `refit_of` and `subject` are
    refs too, where they name a run. `key_schema` None means that nothing says whose rules made the keys.
    `environment` holds a benchmark's comparable fields; `folds` the objective's values by fold index.
    `artifacts` maps artifact kinds to content digests. `dataset_version` and `service_best` are what an Azure ML
    sweep says of its child: the version of its data, and the ref of the sweep's best child. `url` is a page that
    shows the run, where there is one: it tells where the run is looked at, and is no part of what it is.
    """

    ref: str
    run_id: str
    stage: Stage | None
    status: RunStatus
    lifecycle: Lifecycle
    experiment: str
    name: str
    started_at: int
    ended_at: int | None
    parent: str | None = None
    family: str | None = None
    study_key: str | None = None
    family_key: str | None = None
    trial_key: str | None = None
    trial_number: int | None = None
    key_schema: KeySchema | None = None
    attempt: int = 1
    refit_of: str | None = None
    protocol_fp: str | None = None
    subject: str | None = None
    benchmark_key: str | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    objectives: tuple[tuple[str, str], ...] = ()
    trial_state: str | None = None
    end_reason: str | None = None
    error: str | None = None
    artifact_state: ArtifactState = ArtifactState.UNKNOWN
    artifacts: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    params: Mapping[str, object] = field(default_factory=lambda: NOTHING)
    metrics: Mapping[str, float] = field(default_factory=lambda: NOTHING)
    folds: tuple[float, ...] = ()
    lineage: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    tags: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    dataset_version: str | None = None
    service_best: str | None = None
    url: str | None = field(default=None, compare=False)
