"""The event log: append, and read again from any position."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from ..domain.events import Envelope, Event
from ..domain.keys import RunKey

Cursor = Mapping[str, int]
"""Per writer, the last sequence that was read."""


@dataclass(frozen=True, slots=True)
class Happening:
    """An event about to be appended: what happened, to which run, and when (UTC nanoseconds)."""

    event: Event
    run_key: RunKey | None
    occurred_at_ns: int


class Newcomers(Protocol):
    """What those writers record whose first event came after this was made."""

    def read(self) -> tuple[Envelope, ...]:
        """Their events since the last call, each writer's in sequence order; does not wait."""
        ...


class EventLog(Protocol):
    """Raises HomeUnusable when the log cannot be opened, JournalError when an append cannot be kept: the same
    append may succeed later, unless it is EventRefused.
    """

    @property
    def writer(self) -> str:
        """The id of the one writer that this log appends as; unique for ever."""
        ...

    def written(self) -> tuple[str, int] | None:
        """This log's writer and the last sequence that it appended; None before the first append."""
        ...

    def append(self, *happenings: Happening) -> tuple[Envelope, ...]:
        """Append all of them, or none, in order; what returned survives the death of this process.

        Sequences of one writer start at 1 and have no gaps. Safe from several threads.
        """
        ...

    def append_metrics(
        self, run_key: RunKey, metrics: Mapping[str, float], step: int, occurred_at_ns: int
    ) -> None:
        """As `append` of one MetricsLogged, at a training loop's pace: no event and no envelope is built."""
        ...

    def read(self, after: Cursor | None = None) -> Iterator[Envelope]:
        """All events of all writers after the cursor, each writer's in sequence order.

        Ends at what was there when it was asked; does not wait. Writers come in order of their ids.
        """
        ...

    def newcomers(self) -> Newcomers:
        """To follow writers that are about to begin; costs the same however much the log holds."""
        ...

    def sync(self) -> None:
        """Make everything appended so far survive a power cut."""
        ...

    def close(self) -> None:
        """Stop appending. Closing twice is fine."""
        ...
