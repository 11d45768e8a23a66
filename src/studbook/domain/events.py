"""What can happen: the events, in the past tense, and the envelope that carries one."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .keys import RunKey
from .product_events import (
    BenchmarkMeasured,
    BenchmarkStarted,
    ChampionChosen,
    ConversionStarted,
    FinalTrainingCompleted,
    FinalTrainingStarted,
    ModelConverted,
    ModelSelected,
)
from .run_events import (
    ArtifactAcquired,
    ArtifactLogged,
    DeliveryRefused,
    MetricsLogged,
    ParamsLogged,
    RecordWritten,
    RunEnded,
    RunHeartbeat,
    RunReaped,
    RunStarted,
    TagsSet,
)
from .search_events import (
    FoldScored,
    FoldStarted,
    RefitLinked,
    RefitStarted,
    StudyClosed,
    StudyOpened,
    TrialCompleted,
    TrialFailed,
    TrialPruned,
    TrialStarted,
)
from .value import Value

SCHEMA_VERSION = 1

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
