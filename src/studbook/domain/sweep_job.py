"""An Azure ML sweep job: what the caller says of it, and what the service says."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import InvalidInput, MalformedRun
from .study import Direction

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}")
_DIRECTIONS = {str(direction): direction for direction in Direction}


@dataclass(frozen=True, slots=True)
class AzureSweep:
    """A sweep job, by its name in the workspace. Raises InvalidInput for what can be no job's name.

    `family` is the model family of its children, whatever their tags say; `data_version` is the version of their
    data, where no tag says it.
    """

    name: str
    family: str | None = None
    data_version: str | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InvalidInput(
                f"{self.name!r:.200} is no name of a job",
                cure="give the sweep job's name as the studio shows it: letters, digits, `_` and `-`",
            )


@dataclass(frozen=True, slots=True)
class SweepJob:
    """What the service says of a sweep job; `status` and `goal` are its words, `best_child` is the name of its best
    child so far.
    """

    name: str
    workspace: str
    status: str
    metric: str
    goal: str
    best_child: str | None = None

    @property
    def direction(self) -> Direction:
        """Which way the metric gets better. Raises MalformedRun."""
        direction = _DIRECTIONS.get(self.goal.lower())
        if direction is None:
            raise MalformedRun(
                f"the sweep job {self.name} has the goal {self.goal!r:.100}, which is no direction",
                cure="only jobs that maximize or minimize a metric can be compared",
                run=self.name,
            )
        return direction
