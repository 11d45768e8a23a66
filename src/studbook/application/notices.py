"""Progress notices: told over the bus, never journaled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SweepProgress:
    """How far a sweep has come. `best` is the best objective value so far, None with several objectives.

    `states` counts the trials by state; `trials_total` is None when time is the only limit.
    """

    study_name: str
    family: str
    trials_done: int
    trials_total: int | None
    best: float | None = None
    states: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """A named step of a use case has begun."""

    name: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class FilesProgress:
    """How far a transfer of files has come, in files and bytes."""

    name: str
    files_done: int
    files_total: int
    bytes_done: int
    bytes_total: int


Notice = SweepProgress | Step | FilesProgress
