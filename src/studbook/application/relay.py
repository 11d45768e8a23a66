"""Carries events from the log to the stores: at least once, with idempotent effect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from ..domain.errors import (
    ArtifactError,
    DeliveryPending,
    RunEnded,
    StudbookError,
    TrackingRefused,
    TrackingUnavailable,
)
from ..domain.events import Envelope
from ..domain.keys import RunKey
from ..domain.projection import project
from ..domain.run_events import DeliveryRefused
from ..domain.store_writes import StoreWrite
from ..domain.vocabulary import Vocabulary
from ..ports.clock import Clock
from ..ports.delivery_ledger import DeliveryLedger, Refusal
from ..ports.event_log import EventLog, Happening
from ..ports.log import get_logger
from .store_writer import RunUnknown, StoreWriter

_CHUNK = 2000
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 60.0

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one drain did: events carried over, and events refused for good."""

    delivered: int
    refused: int


class Relay:
    """Drains the log into the stores, in this process, holding the ledger's lease while it works."""

    def __init__(
        self,
        log: EventLog,
        ledger: DeliveryLedger,
        writer: StoreWriter,
        vocabulary: Vocabulary,
        clock: Clock,
    ) -> None:
        self._log = log
        self._ledger = ledger
        self._writer = writer
        self._vocabulary = vocabulary
        self._clock = clock

    def drain(self, timeout_s: float | None = None) -> Delivery:
        """Deliver everything that is in the log now. A barrier.

        While the backend is unavailable, tries again until `timeout_s` seconds (None: 60) have passed. Raises
        DeliveryPending, which says how many events are left; they stay in the log.
        """
        limit = 60.0 if timeout_s is None else timeout_s
        deadline = self._clock.monotonic_ns() + int(limit * 1e9)
        with self._ledger.lease(limit) as held:
            if not held:
                raise self._pending("another process of this home is delivering")
            return self._drain_until(deadline)

    def pending(self) -> int:
        """How many events wait for delivery."""
        return sum(1 for _ in self._log.read(self._ledger.cursor()))

    def refusals(self) -> tuple[Refusal, ...]:
        """The events that the backend refused for good."""
        return self._ledger.refusals()

    def run_id(self, run_key: RunKey) -> str | None:
        """The backend's id of a delivered run."""
        return self._ledger.run_id(run_key)

    def _drain_until(self, deadline: int) -> Delivery:
        delivered = refused = 0
        wait = _FIRST_WAIT_S
        while True:
            try:
                done, held_back = self._pass()
            except TrackingUnavailable as error:
                if self._clock.monotonic_ns() + int(wait * 1e9) > deadline:
                    raise self._pending(error.problem) from error
                _log.warning("backend unavailable", error=error.problem, next_try_s=wait)
                self._clock.sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT_S)
                continue
            delivered += done.delivered
            refused += done.refused
            if done.delivered == 0:
                if held_back:
                    raise self._pending("they belong to runs whose beginning is in another journal")
                return Delivery(delivered, refused)

    def _pass(self) -> tuple[Delivery, frozenset[str]]:
        delivered = refused = 0
        held_back: set[str] = set()
        for chunk in _chunks(self._log.read(self._ledger.cursor())):
            ready = [envelope for envelope in chunk if envelope.writer not in held_back]
            done, bad = self._deliver(ready, held_back)
            delivered += done
            refused += bad
        return Delivery(delivered, refused), frozenset(held_back)

    def _deliver(self, envelopes: list[Envelope], held_back: set[str]) -> tuple[int, int]:
        """Deliver in log order. A writer whose run is not in the store yet is held back."""
        writes = self._writes(envelopes)
        try:
            self._writer.write(writes)
        except (TrackingRefused, ArtifactError, RunEnded, RunUnknown):
            return self._deliver_singly(envelopes, held_back)
        self._ledger.advance(_ends(envelopes))
        self._writer.release(writes)
        return len(envelopes), 0

    def _deliver_singly(self, envelopes: list[Envelope], held_back: set[str]) -> tuple[int, int]:
        done = bad = 0
        for envelope in envelopes:
            if envelope.writer in held_back:
                continue
            writes = self._writes([envelope])
            try:
                self._writer.write(writes)
            except RunUnknown as error:
                if not self._was_refused(error.missing):
                    held_back.add(envelope.writer)
                    continue
                bad += self._refuse(envelope, error)
                writes = []
            except (TrackingRefused, ArtifactError, RunEnded) as error:
                bad += self._refuse(envelope, error)
                writes = []
            self._ledger.advance({envelope.writer: envelope.sequence})
            self._writer.release(writes)
            done += 1
        return done, bad

    def _was_refused(self, run_key: RunKey) -> bool:
        return any(refusal.run_key == run_key for refusal in self._ledger.refusals())

    def _writes(self, envelopes: list[Envelope]) -> list[StoreWrite]:
        return [write for envelope in envelopes for write in project(envelope, self._vocabulary)]

    def _refuse(self, envelope: Envelope, error: StudbookError) -> int:
        _log.error(
            "delivery refused",
            event_kind=envelope.event.kind,
            writer=envelope.writer,
            sequence=envelope.sequence,
            error=error.problem,
        )
        reason = f"{type(error).__name__}: {error.problem}"
        self._ledger.refuse(Refusal(envelope.writer, envelope.sequence, envelope.run_key, reason))
        fact = DeliveryRefused(writer=envelope.writer, sequence=envelope.sequence, reason=reason)
        self._log.append(Happening(fact, envelope.run_key, self._clock.now_ns()))
        return 1

    def _pending(self, why: str) -> DeliveryPending:
        left = self.pending()
        return DeliveryPending(
            f"{left} events are not delivered yet: {why}",
            cure="nothing is lost: they are in the journal, and the next flush delivers them",
            pending=left,
        )


def _chunks(envelopes: Iterator[Envelope]) -> Iterator[list[Envelope]]:
    while chunk := list(islice(envelopes, _CHUNK)):
        yield chunk


def _ends(envelopes: Iterable[Envelope]) -> dict[str, int]:
    return {envelope.writer: envelope.sequence for envelope in envelopes}
