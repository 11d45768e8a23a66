"""A run as a tracking store gives it back: everything that is text there is text here."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from .run import RunStatus


class Lifecycle(StrEnum):
    """Whether a stored run is there or in the bin."""

    ACTIVE = "active"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class StoredRun:
    """One run of a store. `metrics` are the last values; times are UTC milliseconds.

    `run_id` is the backend's own; `parent_id` is the backend id of the parent run, if there is one.
    """

    run_id: str
    experiment: str
    name: str
    status: RunStatus
    lifecycle: Lifecycle
    started_at_ms: int
    ended_at_ms: int | None
    parent_id: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
