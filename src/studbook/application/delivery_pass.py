"""One pass over the log: what is there is delivered, refused for good, or held back for the next pass."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from ..domain.errors import ArtifactError, RunEnded, RunNotFound, StudbookError, TrackingRefused
from ..domain.events import Envelope
from ..domain.keys import RunKey
from ..domain.projection import project
from ..domain.redaction import redact
from ..domain.run import Ending, EndReason, RunStatus
from ..domain.run_events import ArtifactLogged, DeliveryRefused, RefusalDismissed, RunReaped, RunStarted
from ..domain.run_events import RunEnded as RunEndedEvent
from ..domain.store_writes import StoreWrite
from ..domain.vocabulary import Vocabulary
from ..ports.clock import Clock
from ..ports.delivery_ledger import DeliveryLedger, Refusal, RunChanges
from ..ports.event_log import Cursor, EventLog, Happening
from ..ports.log import get_logger
from ..ports.time_left import time_left_s
from .heartbeats import Heartbeats
from .late_events import late_runs
from .open_runs import run_changes
from .store_writer import RunUnknown, StoreWriter

BATCH = 5000
_FOR_GOOD = (TrackingRefused, RunNotFound, ArtifactError, RunEnded)

_log = get_logger(__name__)


@dataclass(slots=True)
class Tally:
    """Events so far: delivered, and refused for good."""

    delivered: int = 0
    refused: int = 0


@dataclass(slots=True)
class Held:
    """The writers whose next event cannot be delivered yet.

    `missing` says which run it needs; `ends` are those that are about to end a run of which another writer has
    earlier events.
    """

    missing: dict[str, RunKey] = field(default_factory=dict)
    ends: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.missing or self.ends)

    @property
    def writers(self) -> frozenset[str]:
        """All of them."""
        return frozenset(self.missing) | self.ends

    @property
    def why(self) -> str:
        """For people."""
        if self.missing:
            return "they belong to runs whose beginning is in another journal"
        return "other events come first"


class _NotProjected(StudbookError):
    """An event that has no store writes, because it contradicts itself."""


class TimeIsUp(StudbookError):
    """The time of whoever waits is over, in the middle of a pass."""


class DeliveryPass:
    """Delivers in log order and in full batches; what a backend refuses is found by halving its batch."""

    def __init__(
        self,
        log: EventLog,
        ledger: DeliveryLedger,
        writer: StoreWriter,
        vocabulary: Vocabulary,
        clock: Clock,
        *,
        batch: int = BATCH,
    ) -> None:
        self._batch = batch
        self._log = log
        self._ledger = ledger
        self._writer = writer
        self._vocabulary = vocabulary
        self._clock = clock
        self._refused: dict[RunKey | None, dict[tuple[str, int], Refusal]] = {}
        self._stillborn: set[RunKey] = set()
        self._marked: set[RunKey] = set()
        self._heartbeats = Heartbeats()

    def run(self, tally: Tally, unawaited: frozenset[str] = frozenset()) -> Held:
        """Go over everything that is in the log now; counts into `tally`.

        The end of a run waits for earlier events of other writers, except of those that are `unawaited`. Raises
        TrackingUnavailable, and TimeIsUp when more is left than whoever waits has time for; what was delivered
        before is counted, and not asked for again.
        """
        held = Held()
        self._refused.clear()
        for refusal in (*self._ledger.refusals(), *self._ledger.dismissed()):
            self._remember(refusal)
        cursor = self._ledger.cursor()
        shared = self._shared(cursor)
        events = self._log.read(cursor)
        first = True
        while chunk := list(islice(events, self._batch)):
            if not first and (time_left_s() or 0) < 0:
                raise TimeIsUp("the time is over", cure="go on where the ledger says")
            first = False
            ready = []
            for envelope in chunk:
                if envelope.writer in held.writers:
                    continue
                if _waits(envelope, shared, unawaited):
                    held.ends.add(envelope.writer)
                else:
                    ready.append(envelope)
            self._deliver(ready, held, tally)
        return held

    def resend(self, tally: Tally) -> None:
        """Deliver the refused events again, as long as the backend takes any; counts into `tally`.

        What it takes is refused no longer. Ends come last: they say what else of their run is still refused.
        Raises TrackingUnavailable.
        """
        before = -1
        while tally.delivered != before and (refusals := self._ledger.refusals()):
            before = tally.delivered
            self._refused.clear()
            self._stillborn.clear()
            for refusal in (*refusals, *self._ledger.dismissed()):
                self._remember(refusal)
            envelopes = self._refused_events(refusals)
            for ends in (False, True):
                chosen = (each for each in envelopes if isinstance(each.event, RunEndedEvent) is ends)
                while chunk := list(islice(chosen, self._batch)):
                    self._redeliver(chunk, tally)
        tally.refused = len(self._ledger.refusals())

    def _refused_events(self, refusals: Iterable[Refusal]) -> list[Envelope]:
        """By writer and sequence; without those whose journal is no longer here."""
        wanted = {(refusal.writer, refusal.sequence) for refusal in refusals}
        after = dict(self._ledger.cursor())
        for writer, sequence in wanted:
            after[writer] = min(sequence - 1, after.get(writer, 0))
        return [each for each in self._log.read(after) if (each.writer, each.sequence) in wanted]

    def _redeliver(self, envelopes: list[Envelope], tally: Tally) -> None:
        try:
            writes = self._writes(envelopes)
            self._writer.write(writes)
        except (*_FOR_GOOD, _NotProjected, RunUnknown):
            if len(envelopes) > 1:
                middle = len(envelopes) // 2
                self._redeliver(envelopes[:middle], tally)
                self._redeliver(envelopes[middle:], tally)
                return
            # An end that is refused again ends the run here, though its beginning was taken meanwhile.
            self._ledger.advance({}, run_changes(envelopes, refused=True))
            return
        self._writer.release(writes)
        self._ledger.advance({}, run_changes(envelopes))
        self._ledger.forget_refusals([(each.writer, each.sequence) for each in envelopes])
        for each in envelopes:
            self._refused[each.run_key].pop((each.writer, each.sequence))
        tally.delivered += len(envelopes)

    def is_settled(self, run_key: RunKey) -> bool:
        """Whether the run is in the store, or will never be."""
        return self._ledger.run_id(run_key) is not None or self._never_began(run_key)

    def _shared(self, cursor: Cursor) -> dict[RunKey, dict[str, int]]:
        """The runs that several writers have undelivered events of: when each of them has its first one."""
        first = next(self._log.read(cursor), None)
        if first is None or next(self._log.read({**cursor, first.writer: sys.maxsize}), None) is None:
            return {}
        runs: dict[RunKey, dict[str, int]] = {}
        for envelope in self._log.read(cursor):
            if envelope.run_key is not None:
                runs.setdefault(envelope.run_key, {}).setdefault(envelope.writer, envelope.occurred_at_ns)
        return {run_key: writers for run_key, writers in runs.items() if len(writers) > 1}

    def _deliver(self, envelopes: list[Envelope], held: Held, tally: Tally) -> None:
        envelopes = [envelope for envelope in envelopes if envelope.writer not in held.missing]
        if not envelopes:
            return
        try:
            writes = self._writes(envelopes)
            self._writer.write(writes)
        except (*_FOR_GOOD, _NotProjected, RunUnknown) as error:
            if len(envelopes) == 1:
                self._decide(envelopes[0], error, held, tally)
                return
            middle = len(envelopes) // 2
            self._deliver(envelopes[:middle], held, tally)
            self._deliver(envelopes[middle:], held, tally)
            return
        changes = run_changes(envelopes)
        self._mark_late(envelopes, changes)
        if dismissals := list(_dismissals(envelopes)):
            self._ledger.dismiss(dismissals)
        # Before the cursor moves: what was released is asked for again, and found stored; what was not, never.
        self._writer.release(writes)
        cursor = {envelope.writer: envelope.sequence for envelope in envelopes}
        self._ledger.advance(cursor, changes)
        tally.delivered += len(envelopes)

    def _mark_late(self, envelopes: list[Envelope], changes: RunChanges) -> None:
        open_runs = {run.run_key: run.seen_ns for run in self._ledger.open_runs()}
        for run_key in late_runs(envelopes, changes, open_runs) - self._marked:
            self._writer.mark_late(run_key)
            self._marked.add(run_key)

    def _decide(self, envelope: Envelope, error: StudbookError, held: Held, tally: Tally) -> None:
        if isinstance(error, RunUnknown) and not self._never_began(error.missing):
            held.missing[envelope.writer] = error.missing
            return
        self._refuse(envelope, error)
        self._ledger.advance({envelope.writer: envelope.sequence}, run_changes([envelope], refused=True))
        tally.refused += 1

    def _writes(self, envelopes: list[Envelope]) -> list[StoreWrite]:
        try:
            return [
                write
                for envelope in envelopes
                if not self._heartbeats.passes_over(envelope)
                for write in project(self._as_delivered(envelope), self._vocabulary)
            ]
        except StudbookError as error:
            raise _NotProjected(error.problem, cure=error.cure) from error

    def _as_delivered(self, envelope: Envelope) -> Envelope:
        """The event, but a run that lacks a required artifact does not end FINISHED."""
        event = envelope.event
        if not isinstance(event, RunEndedEvent) or event.ending.status is not RunStatus.FINISHED:
            return envelope
        for refusal, refused in self._refused_of(envelope.run_key):
            if isinstance(refused, ArtifactLogged) and refused.required:
                ending = Ending.failed(EndReason.ARTIFACT_REFUSED, refusal.reason)
                return envelope._replace(event=RunEndedEvent(ending=ending))
        return envelope

    def _never_began(self, run_key: RunKey) -> bool:
        if run_key not in self._stillborn:
            if not any(isinstance(event, RunStarted) for _, event in self._refused_of(run_key)):
                return False
            self._stillborn.add(run_key)
        return True

    def _refused_of(self, run_key: RunKey | None) -> Iterator[tuple[Refusal, object]]:
        """The refused events of a run."""
        for refusal in self._refused.get(run_key, {}).values():
            before = {**self._ledger.cursor(), refusal.writer: refusal.sequence - 1}
            for envelope in self._log.read(before):
                if envelope.writer == refusal.writer:
                    yield refusal, envelope.event
                    break

    def _refuse(self, envelope: Envelope, error: StudbookError) -> None:
        reason = redact(f"{_kind(error)}: {error.problem}")
        _log.error(
            "delivery refused",
            event_kind=envelope.event.kind,
            writer=envelope.writer,
            sequence=envelope.sequence,
            reason=reason,
        )
        if (envelope.writer, envelope.sequence) in self._refused.get(envelope.run_key, {}):
            return
        fact = DeliveryRefused(writer=envelope.writer, sequence=envelope.sequence, reason=reason)
        self._log.append(Happening(fact, envelope.run_key, self._clock.now_ns()))
        refusal = Refusal(envelope.writer, envelope.sequence, envelope.run_key, reason)
        self._ledger.refuse(refusal)
        self._remember(refusal)

    def _remember(self, refusal: Refusal) -> None:
        of_run = self._refused.setdefault(refusal.run_key, {})
        of_run[refusal.writer, refusal.sequence] = refusal


def _dismissals(envelopes: Iterable[Envelope]) -> Iterator[Refusal]:
    for envelope in envelopes:
        event = envelope.event
        if isinstance(event, RefusalDismissed):
            yield Refusal(event.writer, event.sequence, envelope.run_key, event.reason)


def _kind(error: StudbookError) -> str:
    if isinstance(error, RunEnded):
        return "TERMINAL"
    return type(error.__cause__ if isinstance(error, _NotProjected) else error).__name__


def _waits(envelope: Envelope, shared: dict[RunKey, dict[str, int]], unawaited: frozenset[str]) -> bool:
    """Whether the event ends a run of which another writer has earlier events."""
    if envelope.run_key not in shared or not isinstance(envelope.event, RunEndedEvent | RunReaped):
        return False
    return any(
        first_ns <= envelope.occurred_at_ns
        for writer, first_ns in shared[envelope.run_key].items()
        if writer != envelope.writer and writer not in unawaited
    )
