"""Reads the journal as it is: which events there are, whoever recorded them, delivered or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..domain.events import Envelope
from ..domain.keys import RunKey
from ..ports.clock import Clock
from ..ports.event_log import EventLog

_LOOK_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events are wanted; what is None or empty is any.

    `run` is a run key or the beginning of one, with or without its kind; `writer` the beginning of a writer's id;
    `kinds` are names of events; `since_ns` is a UTC time.
    """

    run: str | None = None
    writer: str | None = None
    kinds: frozenset[str] = frozenset()
    since_ns: int | None = None

    def takes(self, envelope: Envelope) -> bool:
        """Whether the event is one of them."""
        return (
            (self.run is None or _begins(envelope.run_key, self.run))
            and (self.writer is None or envelope.writer.startswith(self.writer))
            and (not self.kinds or envelope.event.kind in self.kinds)
            and (self.since_ns is None or envelope.occurred_at_ns >= self.since_ns)
        )


class ListEvents:
    """The use case, over a log that reads what was recorded for every target."""

    def __init__(self, log: EventLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock

    def __call__(self, wanted: EventFilter) -> list[Envelope]:
        """The events that are there now, by time; memory in proportion to those that are wanted."""
        return sorted(filter(wanted.takes, self._log.read()), key=_place)

    def follow(self, wanted: EventFilter) -> Iterator[Envelope]:
        """The events that are there, and those that come, as they are found; ends when the caller stops asking.

        Those that are found together come by time.
        """
        cursor: dict[str, int] = {}
        while True:
            yield from sorted(self._fresh(cursor, wanted), key=_place)
            self._clock.sleep(_LOOK_EVERY_S)

    def _fresh(self, cursor: dict[str, int], wanted: EventFilter) -> Iterator[Envelope]:
        """The wanted events after the cursor, which moves on."""
        for each in self._log.read(dict(cursor)):
            cursor[each.writer] = each.sequence
            if wanted.takes(each):
                yield each


def _place(envelope: Envelope) -> tuple[int, str, int]:
    return envelope.occurred_at_ns, envelope.writer, envelope.sequence


def _begins(run_key: RunKey | None, text: str) -> bool:
    return run_key is not None and run_key.partition(":")[2].startswith(text.removeprefix(f"{RunKey.KIND}:"))
