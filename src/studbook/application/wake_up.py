"""Notices that this process stood still for so long that others took it for dead, and which runs they have ended."""

from __future__ import annotations

from collections.abc import Collection

from ..domain.keys import RunKey
from ..domain.run_events import RunReaped
from ..ports.clock import Clock
from ..ports.event_log import EventLog


class WakeUp:
    """Ask it regularly. It reads the log only after a gap of more than `ttl_s` seconds, and then for as long."""

    def __init__(self, log: EventLog, clock: Clock, *, ttl_s: float) -> None:
        self._log = log
        self._clock = clock
        self._ttl_ns = int(ttl_s * 1e9)
        self._awake_ns = self._now()
        self._look_until_ns: int | None = None
        self._cursor: dict[str, int] = {}

    def begin(self) -> None:
        """Nothing was missed until now."""
        self._awake_ns = self._now()

    def ended_meanwhile(self, run_keys: Collection[RunKey]) -> tuple[RunKey, ...]:
        """Those of the runs that others have ended since it was last asked."""
        before, self._awake_ns = self._awake_ns, self._now()
        monotonic_ns, _ = self._awake_ns
        # Both clocks: one stands still while the machine is suspended, the other while nobody sets it.
        if any(now - then > self._ttl_ns for now, then in zip(self._awake_ns, before, strict=True)):
            self._look_until_ns = monotonic_ns + self._ttl_ns
        if self._look_until_ns is None or monotonic_ns > self._look_until_ns:
            return ()
        ended = []
        for envelope in self._log.read(self._cursor):
            self._cursor[envelope.writer] = envelope.sequence
            if isinstance(envelope.event, RunReaped) and envelope.run_key in run_keys:
                ended.append(envelope.run_key)
        return tuple(key for key in ended if key is not None)

    def _now(self) -> tuple[int, int]:
        return self._clock.monotonic_ns(), self._clock.now_ns()
