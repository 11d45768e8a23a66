"""What can happen: the events, in the past tense, and the envelope that carries one."""

from __future__ import annotations

from typing import Annotated, NamedTuple

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
    RefusalDismissed,
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
    | RefusalDismissed
    | RunReaped,
    Field(discriminator="kind"),
]


class Envelope(NamedTuple):
    """An event with who wrote it, where in that writer's order, when it happened, and which run it is of.

    `writer` and `sequence`, from 1, together are the event's id. `occurred_at_ns` is UTC, taken when it happened.
    A bare tuple, because one is made for every event that is delivered; what it holds was checked.
    """

    writer: str
    sequence: int
    occurred_at_ns: int
    run_key: RunKey | None
    event: Event
    schema_version: int = SCHEMA_VERSION
