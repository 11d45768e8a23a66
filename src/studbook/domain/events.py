"""What can happen: the events, in the past tense, and the envelope that carries one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from .keys import (
    BenchmarkConfigKey,
    BenchmarkKey,
    ConversionKey,
    DataKey,
    EvalKey,
    ExecKey,
    FoldKey,
    HardwareKey,
    ProtocolKey,
    RunKey,
    SpecKey,
    StudyFamilyKey,
    StudyKey,
    TrialKey,
)
from .run import Ending
from .stage import Stage
from .value import Value

SCHEMA_VERSION = 1

Params = dict[str, JsonValue]
Metrics = dict[str, float]


class RunStarted(Value):
    """A run was opened."""

    kind: Literal["RunStarted"] = "RunStarted"
    project: str
    stage: Stage
    subject: Params
    attempt: int = Field(ge=1)
    name: str
    experiment: str
    parent: RunKey | None = None
    environment: str = "local"
    created_by: str = ""
    version: str


class ParamsLogged(Value):
    """Params of a run, typed as they were given."""

    kind: Literal["ParamsLogged"] = "ParamsLogged"
    params: Params


class TagsSet(Value):
    """The user's own tags on a run."""

    kind: Literal["TagsSet"] = "TagsSet"
    tags: dict[str, str]


class MetricsLogged(Value):
    """Metric values, measured at the envelope's time."""

    kind: Literal["MetricsLogged"] = "MetricsLogged"
    metrics: Metrics
    step: int = 0


class ArtifactLogged(Value):
    """Files of a run, pinned in the home until they are delivered.

    `pin` is the place of the bytes, relative to the home; `required` makes FINISHED depend on their delivery.
    """

    kind: Literal["ArtifactLogged"] = "ArtifactLogged"
    manifest: JsonValue
    pin: str
    required: bool = False


class RecordWritten(Value):
    """A small service file of a run: `studbook/records/<name>.json`, written once."""

    kind: Literal["RecordWritten"] = "RecordWritten"
    name: str
    content: JsonValue
    digest: str


class RunEnded(Value):
    """A run reached its terminal status."""

    kind: Literal["RunEnded"] = "RunEnded"
    ending: Ending


class RunHeartbeat(Value):
    """A run without other events is still alive."""

    kind: Literal["RunHeartbeat"] = "RunHeartbeat"


class StudyOpened(Value):
    """A session of a study began."""

    kind: Literal["StudyOpened"] = "StudyOpened"
    study_key: StudyKey
    family_key: StudyFamilyKey
    data_key: DataKey
    eval_key: EvalKey
    data_mode: str
    data_name: str | None = None
    name: str
    model_family: str
    objectives: tuple[tuple[str, str], ...]
    refit_planned: bool
    session: int = Field(ge=1)
    settings: Params


class TrialStarted(Value):
    """A point of a study is being tried."""

    kind: Literal["TrialStarted"] = "TrialStarted"
    study_key: StudyKey
    family_key: StudyFamilyKey
    model_family: str
    objectives: tuple[tuple[str, str], ...]
    trial_key: TrialKey
    number: int = Field(ge=0)
    params: Params


class FoldStarted(Value):
    """A trial is being trained on one split."""

    kind: Literal["FoldStarted"] = "FoldStarted"
    study_key: StudyKey
    model_family: str
    trial_key: TrialKey
    trial_number: int
    fold_key: FoldKey
    index: int = Field(ge=0)
    count: int = Field(ge=1)
    digest: str | None
    train_size: int
    validation_size: int
    seed: int | None = None


class FoldScored(Value):
    """A fold reported its numbers.

    Carried by the trial's run; `fold_run` is the fold's own run, when it has one. `objectives` are the values
    among `metrics` that the study optimises. `last_step` is the last step that the fold's training logged at:
    the final values are recorded there, since a store gives back the value of the highest step.
    """

    kind: Literal["FoldScored"] = "FoldScored"
    index: int = Field(ge=0)
    digest: str | None
    metrics: Metrics
    objectives: Metrics
    fold_run: RunKey | None = None
    best_step: int | None = None
    last_step: int = 0
    reused_from: RunKey | None = None


class TrialCompleted(Value):
    """All folds of a trial are scored and every objective is finite.

    With `duplicate_of`, no training took place: the earlier run of the same point stands for it. `last_step`
    is that of FoldScored.
    """

    kind: Literal["TrialCompleted"] = "TrialCompleted"
    number: int
    trial_key: TrialKey
    values: Metrics
    metrics: Metrics
    last_step: int = 0
    duplicate_of: RunKey | None = None


class TrialPruned(Value):
    """A trial was given up because it did not look promising."""

    kind: Literal["TrialPruned"] = "TrialPruned"
    number: int
    trial_key: TrialKey
    step: int
    last_value: float | None = None
    folds_scored: int = 0
    duplicate_of: RunKey | None = None


class TrialFailed(Value):
    """A trial ended without a usable objective."""

    kind: Literal["TrialFailed"] = "TrialFailed"
    number: int
    trial_key: TrialKey
    reason: str
    error: str | None = None


class StudyClosed(Value):
    """A session of a study ended. `counts` go by their metric names: `trials_total`, `pareto_size`, …"""

    kind: Literal["StudyClosed"] = "StudyClosed"
    outcome: Literal["completed", "exhausted", "timeout", "stopped", "interrupted", "failed"]
    counts: dict[str, int]
    best_trial: TrialKey | None = None
    best_run: RunKey | None = None


class RefitStarted(Value):
    """A trial is being trained again, on all data of its protocol."""

    kind: Literal["RefitStarted"] = "RefitStarted"
    study_key: StudyKey
    family_key: StudyFamilyKey
    study_name: str
    model_family: str
    objectives: tuple[tuple[str, str], ...]
    data_key: DataKey
    eval_key: EvalKey
    data_mode: str
    data_name: str | None = None
    trial_run: RunKey
    trial_key: TrialKey
    trial_number: int
    protocol: ProtocolKey
    reason: Literal["best_trial", "champion", "requested"]
    validation: Literal["none", "holdout"]
    params: Params
    settings: Params


class RefitLinked(Value):
    """A refit has its checkpoint and stands for its trial."""

    kind: Literal["RefitLinked"] = "RefitLinked"
    trial_run: RunKey
    trial_key: TrialKey
    protocol: ProtocolKey
    content_digest: str


class BenchmarkStarted(Value):
    """A subject is being measured."""

    kind: Literal["BenchmarkStarted"] = "BenchmarkStarted"
    benchmark_key: BenchmarkKey
    config: BenchmarkConfigKey
    hardware: HardwareKey
    subject: str
    environment: Params
    settings: Params
    lineage: Lineage


class BenchmarkMeasured(Value):
    """A benchmark's numbers: milliseconds, and samples a second."""

    kind: Literal["BenchmarkMeasured"] = "BenchmarkMeasured"
    benchmark_key: BenchmarkKey
    metrics: Metrics


class ModelSelected(Value):
    """A decision was made and recorded."""

    kind: Literal["ModelSelected"] = "ModelSelected"
    selection_key: str
    policy: str
    winner_trial: str
    winner_refit: str | None
    settings: Params
    metrics: Metrics
    lineage: Lineage


class ChampionChosen(Value):
    """A champion pointer moved to a new generation."""

    kind: Literal["ChampionChosen"] = "ChampionChosen"
    pointer: str
    generation: int = Field(ge=1)
    nonce: str
    ref: str
    previous: int | None = None


class ArtifactAcquired(Value):
    """Files were handed over, verified. A fact of this machine: it is not delivered."""

    kind: Literal["ArtifactAcquired"] = "ArtifactAcquired"
    subject: str
    receipt: JsonValue


class FinalTrainingStarted(Value):
    """A model is being trained for use."""

    kind: Literal["FinalTrainingStarted"] = "FinalTrainingStarted"
    spec: SpecKey
    exec: ExecKey
    variant: int = Field(ge=1)
    full_data: bool
    data_key: DataKey
    eval_key: EvalKey
    data_mode: str
    data_name: str | None = None
    params: Params
    settings: Params
    lineage: Lineage


class FinalTrainingCompleted(Value):
    """A final training has its verified model."""

    kind: Literal["FinalTrainingCompleted"] = "FinalTrainingCompleted"
    spec: SpecKey
    exec: ExecKey
    variant: int
    content_digest: str
    size_bytes: int


class ConversionStarted(Value):
    """A model is being converted to another format."""

    kind: Literal["ConversionStarted"] = "ConversionStarted"
    conversion_key: ConversionKey
    format: str
    settings: Params
    lineage: Lineage


class ModelConverted(Value):
    """A model was converted to another format, and checked."""

    kind: Literal["ModelConverted"] = "ModelConverted"
    conversion_key: ConversionKey
    format: str
    content_digest: str
    size_bytes: int
    metrics: Metrics


class DeliveryRefused(Value):
    """A backend refused events for good. Their payload stays in the journal."""

    kind: Literal["DeliveryRefused"] = "DeliveryRefused"
    writer: str
    sequence: int
    reason: str


class RunReaped(Value):
    """A run whose writer had died was ended, at the time of its last event; a trial counts as FAILED."""

    kind: Literal["RunReaped"] = "RunReaped"
    reason: str
    last_event_ns: int
    stage: Stage | None = None


class Lineage(Value):
    """The ancestors of a run that were known when it began; `source` says what its input was."""

    source: Literal["selection", "refit", "final_training", "external", "scratch"]
    model_family: str | None = None
    study_key: StudyKey | None = None
    family_key: StudyFamilyKey | None = None
    trial_key: TrialKey | None = None
    sweep: RunKey | None = None
    trial: RunKey | None = None
    refit: RunKey | None = None
    selection: RunKey | None = None
    parent: RunKey | None = None


BenchmarkStarted.model_rebuild()
ModelSelected.model_rebuild()
FinalTrainingStarted.model_rebuild()
ConversionStarted.model_rebuild()

Event = Annotated[
    RunStarted
    | ParamsLogged
    | TagsSet
    | MetricsLogged
    | ArtifactLogged
    | RecordWritten
    | RunEnded
    | RunHeartbeat
    | StudyOpened
    | TrialStarted
    | FoldStarted
    | FoldScored
    | TrialCompleted
    | TrialPruned
    | TrialFailed
    | StudyClosed
    | RefitStarted
    | RefitLinked
    | BenchmarkStarted
    | BenchmarkMeasured
    | ModelSelected
    | ChampionChosen
    | ArtifactAcquired
    | FinalTrainingStarted
    | FinalTrainingCompleted
    | ConversionStarted
    | ModelConverted
    | DeliveryRefused
    | RunReaped,
    Field(discriminator="kind"),
]


class Envelope(Value):
    """An event with who wrote it, where in that writer's order, when it happened, and which run it is of.

    `writer` and `sequence` together are the event's id. `occurred_at_ns` is UTC, taken when it happened.
    """

    writer: str
    sequence: int = Field(ge=1)
    occurred_at_ns: int
    run_key: RunKey | None
    schema_version: int = SCHEMA_VERSION
    event: Event
