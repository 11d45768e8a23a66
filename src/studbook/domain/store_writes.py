"""What the projection asks of a store: the writes, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic import JsonValue

from .keys import RunKey
from .manifest import ArtifactManifest
from .run import RunStatus
from .run_events import RunStarted


@dataclass(frozen=True, slots=True)
class CreateRun:
    """Create the run if no run has this key yet. `tags` hold its identity; `begun` is the event it comes from.

    `adopt` is the backend id of a run to take over instead, `adopt_ended` also when it has ended; it then gets
    `adopted_tags`, too.
    """

    run_key: RunKey
    experiment: str
    name: str
    started_at_ms: int
    tags: dict[str, str]
    parent: RunKey | None = None
    begun: RunStarted | None = None
    adopt: str | None = None
    adopt_ended: bool = False
    adopted_tags: dict[str, str] = field(default_factory=dict)


class MetricPoint(NamedTuple):
    """One measured value. Points equal in all four fields are one point. A bare tuple: there are millions."""

    name: str
    value: float
    timestamp_ms: int
    step: int


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Params, metrics and tags of one run; recording it twice changes nothing."""

    params: dict[str, str] = field(default_factory=dict)
    metrics: tuple[MetricPoint, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.params or self.metrics or self.tags)


@dataclass(frozen=True, slots=True)
class RecordRun:
    """Add a batch to a run."""

    run_key: RunKey
    batch: RecordBatch


@dataclass(frozen=True, slots=True)
class UploadArtifact:
    """Store pinned files with the run, the manifest last. `tag` then says so."""

    run_key: RunKey
    manifest: ArtifactManifest
    pin: str
    required: bool
    tags: dict[str, str]


@dataclass(frozen=True, slots=True)
class WriteRecord:
    """Store a small service file, once."""

    run_key: RunKey
    path: str
    content: JsonValue


@dataclass(frozen=True, slots=True)
class EndRun:
    """End the run. Delivered after every earlier event of the run."""

    run_key: RunKey
    status: RunStatus
    ended_at_ms: int
    tags: dict[str, str]


StoreWrite = CreateRun | RecordRun | UploadArtifact | WriteRecord | EndRun
