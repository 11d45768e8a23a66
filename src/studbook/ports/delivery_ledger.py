"""What the relay must remember of its deliveries to one target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from ..domain.keys import RunKey
from ..domain.stage import Stage
from .event_log import Cursor


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event that the backend refused for good."""

    writer: str
    sequence: int
    run_key: RunKey | None
    reason: str


@dataclass(frozen=True, slots=True)
class StartedRun:
    """A run that a writer began. `seen_ns` is the time of the run's last event, UTC nanoseconds."""

    run_key: RunKey
    writer: str
    project: str
    stage: Stage
    parent: RunKey | None
    seen_ns: int


@dataclass(frozen=True, slots=True)
class RunChanges:
    """What events say about which runs are open: begun, with events at these times (UTC ns), and ended.

    A run that is begun and ended in one change is not open.
    """

    started: tuple[StartedRun, ...] = ()
    seen: Mapping[RunKey, int] = field(default_factory=dict)
    ended: frozenset[RunKey] = frozenset()


NO_CHANGES = RunChanges()


class DeliveryLedger(Protocol):
    """Durable, per target. One holder of the lease at a time may write."""

    def lease(self, timeout_s: float) -> AbstractContextManager[bool]:
        """Hold the right to deliver; yields False when another holder kept it for the whole time."""
        ...

    def cursor(self) -> Cursor:
        """Up to where each writer's events are delivered."""
        ...

    def advance(self, cursor: Cursor, runs: RunChanges = NO_CHANGES) -> None:
        """Record that everything up to here is delivered (or refused), together with what became of its runs.

        Never moves a writer, or the last event of a run, backwards. The same again changes nothing.
        """
        ...

    def open_runs(self) -> tuple[StartedRun, ...]:
        """The delivered runs without an end, by run key and writer. A run may have been begun by several."""
        ...

    def run_id(self, run_key: RunKey) -> str | None:
        """The backend's id of a run that was delivered."""
        ...

    def bind(self, run_key: RunKey, run_id: str) -> None:
        """Remember a run's backend id. Binding another id to a bound key is a ValueError."""
        ...

    def report(self, problem: str | None) -> None:
        """Remember what keeps the relay from delivering; None: nothing does."""
        ...

    def problem(self) -> str | None:
        """What kept the relay from delivering when it last tried."""
        ...

    def refuse(self, refusal: Refusal) -> None:
        """Keep a refusal; the same event twice is one, and a dismissed one stays dismissed."""
        ...

    def dismiss(self, refusals: Iterable[Refusal]) -> None:
        """Nobody need do anything about these any more: they are `dismissed`, known before or not. All or none."""
        ...

    def dismissed(self) -> tuple[Refusal, ...]:
        """All dismissed refusals, in the order of their events."""
        ...

    def forget_refusals(self, events: Iterable[tuple[str, int]]) -> None:
        """Drop the refusals of these events (writer, sequence): they were delivered after all. All or none.

        What was not refused is passed over.
        """
        ...

    def refusals(self) -> tuple[Refusal, ...]:
        """All refusals that are not dismissed, in the order of their events."""
        ...
