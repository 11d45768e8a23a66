"""Which heartbeats of a run are told to the store: one in five minutes is sign of life enough."""

from __future__ import annotations

from typing import Final

from ..domain.events import Envelope
from ..domain.keys import RunKey
from ..domain.run_events import RunEnded, RunHeartbeat, RunReaped

_EVERY_NS: Final = 300 * 10**9


class Heartbeats:
    """Remembers the last one told of each run that goes on; a new process tells one too many."""

    def __init__(self) -> None:
        self._told: dict[RunKey, int] = {}

    def passes_over(self, envelope: Envelope) -> bool:
        """Whether this is a heartbeat soon after one that was told. The same one again is judged the same."""
        run_key = envelope.run_key
        if run_key is None:
            return False
        if isinstance(envelope.event, RunEnded | RunReaped):
            self._told.pop(run_key, None)
            return False
        if not isinstance(envelope.event, RunHeartbeat):
            return False
        told = self._told.get(run_key)
        if told is not None and 0 < envelope.occurred_at_ns - told < _EVERY_NS:
            return True
        self._told[run_key] = envelope.occurred_at_ns
        return False
