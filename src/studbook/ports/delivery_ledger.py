"""What the relay must remember of its deliveries to one target."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from ..domain.keys import RunKey
from .event_log import Cursor


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event that the backend refused for good."""

    writer: str
    sequence: int
    run_key: RunKey | None
    reason: str


class DeliveryLedger(Protocol):
    """Durable, per target. One holder of the lease at a time may write."""

    def lease(self, timeout_s: float) -> AbstractContextManager[bool]:
        """Hold the right to deliver; yields False when another holder kept it for the whole time."""
        ...

    def cursor(self) -> Cursor:
        """Up to where each writer's events are delivered."""
        ...

    def advance(self, cursor: Cursor) -> None:
        """Record that everything up to here is delivered (or refused); never moves a writer backwards."""
        ...

    def run_id(self, run_key: RunKey) -> str | None:
        """The backend's id of a run that was delivered."""
        ...

    def bind(self, run_key: RunKey, run_id: str) -> None:
        """Remember a run's backend id. Binding another id to a bound key is a ValueError."""
        ...

    def refuse(self, refusal: Refusal) -> None:
        """Keep a refusal; the same event twice is one."""
        ...

    def refusals(self) -> tuple[Refusal, ...]:
        """All refusals, in the order of their events."""
        ...
