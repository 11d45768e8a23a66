"""Carries events from the log to the stores: at least once, with idempotent effect."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from ..domain.errors import DeliveryPending, TrackingUnavailable
from ..domain.keys import RunKey
from ..domain.vocabulary import Vocabulary
from ..ports.clock import Clock
from ..ports.delivery_ledger import DeliveryLedger, Refusal
from ..ports.event_log import EventLog
from ..ports.log import get_logger
from ..ports.time_left import within
from .backoff import Backoff
from .delivery_pass import BATCH, DeliveryPass, Held, Tally, TimeIsUp
from .store_writer import StoreWriter

_TIMEOUT_S = 60.0

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one drain did: events carried over, and events refused for good."""

    delivered: int
    refused: int


class _Left(Exception):
    """Events are left; why."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class Relay:
    """Drains the log into the stores, in this process, holding the ledger's lease while it works.

    Waits grow with the failures in a row, over all drains; a backend that asked to be left alone is, by all drains.
    `jitter` gives the share of each wait that is waited, from 0 to 1, so that relays of one backend spread out.
    At most `batch` events are written at once.
    """

    def __init__(
        self,
        log: EventLog,
        ledger: DeliveryLedger,
        writer: StoreWriter,
        vocabulary: Vocabulary,
        clock: Clock,
        *,
        backoff: Backoff = Backoff(),
        batch: int = BATCH,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._log = log
        self._ledger = ledger
        self._clock = clock
        self._backoff = backoff
        self._jitter = jitter
        self._failures = 0
        self._asked_until_ns = 0
        self._pass = DeliveryPass(log, ledger, writer, vocabulary, clock, batch=batch)

    def drain(self, timeout_s: float | None = None) -> Delivery:
        """Deliver everything that is in the log now. A barrier.

        Tries again while the backend is unavailable, and ends with what it is at when `timeout_s` seconds (None:
        60) have passed, but for a first try. Raises DeliveryPending, which says how many events are left; they stay
        in the log. Raises TrackingDenied at once; nothing is lost then, either.
        """
        limit = _TIMEOUT_S if timeout_s is None else timeout_s
        began = self._clock.monotonic_ns()
        with self._ledger.lease(limit) as lease:
            if not lease:
                raise self._pending("another process of this home is delivering")
            return self.drain_in_time(limit - (self._clock.monotonic_ns() - began) / 1e9)

    def drain_in_time(self, timeout_s: float) -> Delivery:
        """Like `drain`, for the one who holds the ledger's lease already."""
        deadline = self._clock.monotonic_ns() + int(timeout_s * 1e9)
        with within(lambda: (deadline - self._clock.monotonic_ns()) / 1e9):
            return self._drain_counted(deadline)

    def drain_held(self, timeout_s: float) -> Delivery:
        """Like `drain_in_time`, but as long as the backend takes events, it goes on."""
        return self._drain_counted(self._clock.monotonic_ns() + int(timeout_s * 1e9))

    def carry(self, timeout_s: float) -> str | None:
        """Like `drain_held`, for a relay process, which no outage ends: returns why events are left, if any are.

        How many is not counted: that takes as long as reading all of them. Raises TrackingDenied.
        """
        try:
            self._drain_until(self._clock.monotonic_ns() + int(timeout_s * 1e9))
        except _Left as left:
            return left.problem
        return None

    def resend_held(self, timeout_s: float) -> Delivery:
        """Deliver the refused events again, for the one who holds the ledger's lease; `refused` are still so.

        What the backend takes is refused no longer. Raises DeliveryPending while the backend is unavailable for
        `timeout_s` seconds, TrackingDenied.
        """
        deadline = self._clock.monotonic_ns() + int(timeout_s * 1e9)
        try:
            return self._resend_until(deadline)
        except _Left as left:
            raise self._pending(left.problem) from left.__cause__

    def pending(self) -> int:
        """How many events wait for delivery."""
        return sum(1 for _ in self._log.read(self._ledger.cursor()))

    def refusals(self) -> tuple[Refusal, ...]:
        """The events that the backend refused for good."""
        return self._ledger.refusals()

    def run_id(self, run_key: RunKey) -> str | None:
        """The backend's id of a delivered run."""
        return self._ledger.run_id(run_key)

    def _drain_counted(self, deadline: int) -> Delivery:
        try:
            return self._drain_until(deadline)
        except _Left as left:
            raise self._pending(left.problem) from left.__cause__

    def _resend_until(self, deadline: int) -> Delivery:
        tally = Tally()
        while True:
            self._leave_alone(deadline)
            try:
                self._pass.resend(tally)
            except TrackingUnavailable as error:
                self._failures += 1
                self._wait(deadline, error)
            else:
                self._failures = 0
                return Delivery(tally.delivered, tally.refused)

    def _drain_until(self, deadline: int) -> Delivery:
        tally = Tally()
        unawaited: frozenset[str] = frozenset()
        while True:
            before = Tally(tally.delivered, tally.refused)
            self._leave_alone(deadline)
            try:
                held = self._pass.run(tally, unawaited)
            except TrackingUnavailable as error:
                self._failures = self._failures + 1 if tally == before else 1
                self._wait(deadline, error)
                continue
            except TimeIsUp as up:
                raise _Left("the time for it is over") from up
            self._failures = 0
            in_time = self._clock.monotonic_ns() < deadline
            if not held:
                # A refusal is an event of its own, behind what this pass read.
                if tally.refused == before.refused or not in_time:
                    return Delivery(tally.delivered, tally.refused)
                continue
            moved = tally != before
            if not in_time or not self._may_go_on(held, moved=moved, awaited=not unawaited):
                raise _Left(held.why)
            unawaited = frozenset() if moved else held.writers

    def _may_go_on(self, held: Held, *, moved: bool, awaited: bool) -> bool:
        """Whether another pass can deliver what this one held back."""
        if any(self._pass.is_settled(run_key) for run_key in held.missing.values()):
            return True
        return bool(held.ends) and (moved or awaited)

    def _leave_alone(self, deadline: int) -> None:
        """Wait until the backend may be asked again, where it said when."""
        now = self._clock.monotonic_ns()
        if now >= self._asked_until_ns:
            return
        self._clock.sleep(max(0, min(self._asked_until_ns, deadline) - now) / 1e9)
        left = (self._asked_until_ns - self._clock.monotonic_ns()) / 1e9
        if left > 0:
            raise _Left(f"the backend asked to be left alone, for {left:.0f} s more")

    def _wait(self, deadline: int, error: TrackingUnavailable) -> None:
        now = self._clock.monotonic_ns()
        self._asked_until_ns = now + int(self._backoff.asked_for_s(error) * 1e9)
        left = (deadline - now) / 1e9
        if left <= 0:
            raise _Left(error.problem) from error
        wait = min(left, self._backoff.wait_s(self._failures, error, self._jitter()))
        self._ledger.report(error.problem)
        _log.warning("backend unavailable", error=error.problem, next_try_s=round(wait, 3))
        self._clock.sleep(wait)

    def _pending(self, why: str) -> DeliveryPending:
        left = self.pending()
        return DeliveryPending(
            f"{left} {'event is' if left == 1 else 'events are'} not delivered yet: {why}",
            cure="nothing is lost: they are in the journal, and the next flush delivers them",
            pending=left,
        )
