"""Appends events to the log and tells the bus."""

from __future__ import annotations

from collections.abc import Collection

from ..domain.events import Envelope, Event
from ..domain.keys import RunKey
from ..ports.clock import Clock
from ..ports.event_log import EventLog, Happening
from .bus import Bus


class Recorder:
    """The one way that use cases make something happen."""

    def __init__(self, log: EventLog, clock: Clock, bus: Bus) -> None:
        self._log = log
        self._clock = clock
        self._bus = bus

    def record(self, run_key: RunKey | None, *events: Event) -> tuple[Envelope, ...]:
        """Append events of one run, all or none, stamped now; returns when they survive this process."""
        return self.record_together(*((run_key, event) for event in events))

    def record_together(self, *entries: tuple[RunKey | None, Event]) -> tuple[Envelope, ...]:
        """Append events of several runs, all or none."""
        now = self._clock.now_ns()
        envelopes = self._log.append(*(Happening(event, run_key, now) for run_key, event in entries))
        for envelope in envelopes:
            self._bus.publish(envelope)
        return envelopes

    def last_events_ns(self, run_keys: Collection[RunKey]) -> dict[RunKey, int]:
        """When each of these runs' last event happened, as far as this home's log knows. Reads the whole log."""
        found: dict[RunKey, int] = {}
        for envelope in self._log.read():
            key = envelope.run_key
            if key in run_keys and key is not None:
                found[key] = max(envelope.occurred_at_ns, found.get(key, 0))
        return found

    def notify(self, notice: object) -> None:
        """Tell the bus only: progress is not journaled."""
        self._bus.publish(notice)
