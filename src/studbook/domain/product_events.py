"""What becomes of a model: benchmarks, decisions, final trainings and conversions, each with its ancestors."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .event_values import Metrics, Params
from .keys import (
    BenchmarkConfigKey,
    BenchmarkKey,
    ConversionKey,
    DataKey,
    EvalKey,
    ExecKey,
    HardwareKey,
    RunKey,
    SpecKey,
    StudyFamilyKey,
    StudyKey,
    TrialKey,
)
from .value import Value


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
