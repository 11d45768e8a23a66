"""The sampler: proposes points of a study and learns from their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from pydantic import JsonValue

from ..domain.study import StudyDefinition


class TrialState(StrEnum):
    """Where a proposed point stands."""

    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    PRUNED = "PRUNED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A point to try. Numbers count from 0 within a study and are never used twice."""

    number: int
    params: dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class SampledTrial:
    """What the study remembers of a point. `values` are in the order of the study's objectives."""

    number: int
    params: dict[str, JsonValue]
    state: TrialState
    values: tuple[float, ...] | None
    attributes: dict[str, str]


class SampledStudy(Protocol):
    """One open study. Not thread-safe: asked and told from one place, in order."""

    def ask(self) -> Proposal | None:
        """The next point, or None when there is no new one."""
        ...

    def report(self, number: int, value: float, step: int) -> None:
        """An intermediate value of a running point; steps increase."""
        ...

    def should_prune(self, number: int) -> bool:
        """Whether the point is not worth going on with; always False without a pruner."""
        ...

    def complete(self, number: int, values: Sequence[float], attributes: Mapping[str, str]) -> None:
        """The point's objective values, all finite, in order. Telling the same end twice is one end."""
        ...

    def prune(self, number: int, attributes: Mapping[str, str]) -> None:
        """The point was given up."""
        ...

    def fail(self, number: int, attributes: Mapping[str, str]) -> None:
        """The point has no value."""
        ...

    def add(self, trial: SampledTrial) -> int:
        """Take over an ended point from elsewhere, under the next number, which is returned."""
        ...

    def trials(self) -> tuple[SampledTrial, ...]:
        """All points so far, by number."""
        ...

    def close(self) -> None:
        """Give back connections. Closing twice is fine."""
        ...


class Sampler(Protocol):
    """Opens studies: the same study key is the same study, resumed."""

    def open(self, study: StudyDefinition, seed: int | None) -> SampledStudy:
        """The study, new or resumed, its sampler seeded. Raises StudyInvalid for options it cannot honour."""
        ...
