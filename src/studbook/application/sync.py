"""Delivers what waits in a home, once: by itself, or by waiting for the relay that is at work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..domain.errors import DeliveryPending, TrackingDenied
from ..ports.clock import Clock
from ..ports.delivery_ledger import DeliveryLedger, Refusal
from ..ports.event_log import Cursor, EventLog
from ..ports.time_left import within
from .relay import Relay
from .undelivered import undelivered

_PATIENCE_S = 60.0
_TAKE_OVER_S = 1.0


@dataclass(frozen=True, slots=True)
class Synced:
    """What one sync did: events that waited and are delivered (or refused) now, refused ones that the backend took
    after all, events that wait, and those that are refused. What came while it worked is not counted.
    """

    delivered: int
    resent: int
    pending: int
    refusals: tuple[Refusal, ...]


NOTHING_DONE = Synced(0, 0, 0, ())


class SyncHome:
    """The use case. `relay` gives the relay when there is something to deliver: building one loads a client."""

    def __init__(
        self, log: EventLog, ledger: DeliveryLedger, relay: Callable[[], Relay], clock: Clock
    ) -> None:
        self._log = log
        self._ledger = ledger
        self._relay = relay
        self._clock = clock

    def __call__(self, timeout_s: float | None = None, *, refused: bool = False) -> Synced:
        """Deliver what is in the log now; with `refused`, also what the backend refused before, again.

        Gives up after `timeout_s` seconds (None: after 60 in which nothing moved). Raises DeliveryPending,
        TrackingDenied; nothing is lost.
        """
        wanted = {each.writer: each.sequence for each in self._log.read(self._ledger.cursor())}
        waiting = undelivered(self._ledger, wanted)
        resend = refused and bool(self._ledger.refusals())
        resent = self._until_done(wanted, timeout_s, resend=resend) if waiting or resend else 0
        return Synced(waiting, resent, 0, self._ledger.refusals())

    def done(self) -> Synced:
        """How it stands, when somebody else has delivered."""
        pending = sum(1 for _ in self._log.read(self._ledger.cursor()))
        return Synced(0, 0, pending, self._ledger.refusals())

    def _until_done(self, wanted: Cursor, timeout_s: float | None, *, resend: bool) -> int:
        deadline = self._deadline(timeout_s)
        if timeout_s is None:
            return self._until_delivered(wanted, None, deadline, resend=resend)
        with within(lambda: (deadline - self._clock.monotonic_ns()) / 1e9):
            return self._until_delivered(wanted, timeout_s, deadline, resend=resend)

    def _until_delivered(
        self, wanted: Cursor, timeout_s: float | None, deadline: int, *, resend: bool
    ) -> int:
        left = undelivered(self._ledger, wanted)
        while True:
            try:
                done = self._deliver_if_free(
                    wanted, (deadline - self._clock.monotonic_ns()) / 1e9, resend=resend
                )
            except DeliveryPending:
                if timeout_s is not None or undelivered(self._ledger, wanted) >= left:
                    raise
                done = None
            if done is not None:
                return done
            if timeout_s is None and undelivered(self._ledger, wanted) < left:
                left, deadline = undelivered(self._ledger, wanted), self._deadline(None)
            elif self._clock.monotonic_ns() >= deadline:
                raise self._at_work_elsewhere(undelivered(self._ledger, wanted))

    def _deliver_if_free(self, wanted: Cursor, left_s: float, *, resend: bool) -> int | None:
        """The number of resent events when all is done; None when another relay is at work and not done."""
        with self._ledger.lease(min(_TAKE_OVER_S, max(0.0, left_s))) as held:
            if held:
                return self._deliver(left_s, resend=resend)
        return 0 if not resend and undelivered(self._ledger, wanted) == 0 else None

    def _deliver(self, left_s: float, *, resend: bool) -> int:
        began = self._clock.monotonic_ns()
        relay = self._relay()
        try:
            relay.drain_held(left_s)
            spent_s = (self._clock.monotonic_ns() - began) / 1e9
            resent = relay.resend_held(left_s - spent_s).delivered if resend else 0
        except (DeliveryPending, TrackingDenied) as error:
            self._ledger.report(error.problem)
            raise
        self._ledger.report(None)
        return resent

    def _deadline(self, timeout_s: float | None) -> int:
        return self._clock.monotonic_ns() + int((_PATIENCE_S if timeout_s is None else timeout_s) * 1e9)

    def _at_work_elsewhere(self, left: int) -> DeliveryPending:
        problem = self._ledger.problem()
        if problem is None:
            why, cure = (
                "another process of this home is delivering, and has not come to an end",
                "repeat when the programs that write to this home have ended; their relay then leaves",
            )
        else:
            why, cure = problem, "the relay at work goes on trying; `studbook status` shows what it does"
        what = (
            f"{left} {'event is' if left == 1 else 'events are'} not delivered yet"
            if left
            else ("the refused events were not sent again")
        )
        return DeliveryPending(f"{what}: {why}", cure=cure, pending=left)
