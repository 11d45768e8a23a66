"""Who carries a book's events to the stores: this process, a relay process beside it, or whoever is told to."""

from __future__ import annotations

from typing import Protocol

from ..domain.errors import DeliveryPending, TrackingDenied
from ..domain.keys import RunKey
from ..ports.clock import Clock
from ..ports.delivery_ledger import DeliveryLedger
from ..ports.event_log import Cursor, EventLog
from ..ports.log import get_logger
from ..ports.relay_launcher import RelayLauncher
from .relay import Relay
from .writer_watch import WriterWatch

_TIMEOUT_S = 60.0
_FIRST_LOOK_S = 0.01
_LONGEST_LOOK_S = 0.25
_LAUNCH_EVERY_S = 2.0

_log = get_logger(__name__)


class Delivery(Protocol):
    """How a book's events reach its target."""

    def begin(self) -> None:
        """Events are about to be recorded. Returns at once."""
        ...

    def flush(self, timeout_s: float | None = None) -> None:
        """A barrier: what this book recorded so far is delivered, or refused for good.

        Raises DeliveryPending after `timeout_s` seconds (None: 60), TrackingDenied; nothing is lost.
        """
        ...

    def catch_up(self, timeout_s: float | None = None) -> None:
        """A barrier for questions: like `flush`, and what others recorded here and left behind is delivered, too."""
        ...

    def run_id(self, run_key: RunKey) -> str | None:
        """The backend's id of a delivered run."""
        ...

    def leave(self, timeout_s: float) -> None:
        """The book is closing: deliver what can be in `timeout_s` seconds, and say what is pending. Never raises
        for delivery: nothing is lost.
        """
        ...


class InlineDelivery:
    """Drains in this process, when asked."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def begin(self) -> None:
        """Nothing to do."""

    def flush(self, timeout_s: float | None = None) -> None:
        """Drain now."""
        self._relay.drain(timeout_s)

    def catch_up(self, timeout_s: float | None = None) -> None:
        """Drain now: a drain takes everybody's events."""
        self._relay.drain(timeout_s)

    def run_id(self, run_key: RunKey) -> str | None:
        """From the ledger."""
        return self._relay.run_id(run_key)

    def leave(self, timeout_s: float) -> None:
        """Drain once more."""
        _leave(self, timeout_s)


class ManualDelivery(InlineDelivery):
    """Drains when asked, and not on leaving: `studbook sync` does."""

    def leave(self, timeout_s: float) -> None:
        """Leave everything where it is."""


class SidecarDelivery:
    """A relay process beside this one delivers; this one starts it, and waits for it where a barrier is asked for."""

    def __init__(
        self,
        log: EventLog,
        ledger: DeliveryLedger,
        launcher: RelayLauncher,
        watch: WriterWatch,
        clock: Clock,
    ) -> None:
        self._log = log
        self._ledger = ledger
        self._launcher = launcher
        self._watch = watch
        self._clock = clock

    def begin(self) -> None:
        """See to it that a relay process is there."""
        self._launcher.ensure()

    def flush(self, timeout_s: float | None = None) -> None:
        """Wait until the relay process has carried over what this book has recorded by now."""
        self._wait_for(self._own(), timeout_s)

    def catch_up(self, timeout_s: float | None = None) -> None:
        """Wait also for what writers that are gone, or were never here, have left in the journal.

        Not for the living ones, which have a relay at work: what they do goes on while the answer is read. When
        nothing waits, no process is started.
        """
        self._wait_for({**self._left_behind(), **self._own()}, timeout_s)

    def run_id(self, run_key: RunKey) -> str | None:
        """From the ledger."""
        return self._ledger.run_id(run_key)

    def leave(self, timeout_s: float) -> None:
        """Wait for the relay process, but not for long: it goes on by itself."""
        _leave(self, timeout_s)

    def _own(self) -> Cursor:
        written = self._log.written()
        return {} if written is None else dict([written])

    def _left_behind(self) -> Cursor:
        last = {each.writer: each.sequence for each in self._log.read(self._ledger.cursor())}
        if not last:
            return {}
        look = self._watch.look()
        return {writer: sequence for writer, sequence in last.items() if not look.may_write(writer)}

    def _wait_for(self, wanted: Cursor, timeout_s: float | None) -> None:
        deadline = self._deadline(_TIMEOUT_S if timeout_s is None else timeout_s)
        look = _FIRST_LOOK_S
        launch_at = 0
        while (left := self._left(wanted)) > 0:
            now = self._clock.monotonic_ns()
            if now >= deadline:
                raise self._pending(left)
            if now >= launch_at:
                self._launcher.ensure()
                launch_at = now + int(_LAUNCH_EVERY_S * 1e9)
            self._clock.sleep(min(look, max(0.0, (deadline - now) / 1e9)))
            look = min(2 * look, _LONGEST_LOOK_S)

    def _left(self, wanted: Cursor) -> int:
        if not wanted:
            return 0
        cursor = self._ledger.cursor()
        return sum(max(0, last - cursor.get(writer, 0)) for writer, last in wanted.items())

    def _deadline(self, timeout_s: float) -> int:
        return self._clock.monotonic_ns() + int(timeout_s * 1e9)

    def _pending(self, left: int) -> DeliveryPending:
        problem = self._ledger.problem()
        why = f": {problem}" if problem else ""
        return DeliveryPending(
            f"{left} {'event is' if left == 1 else 'events are'} not delivered yet{why}",
            cure="nothing is lost: they are in the journal; `studbook status` shows what the relay is doing",
            pending=left,
        )


def _leave(delivery: Delivery, timeout_s: float) -> None:
    try:
        delivery.flush(timeout_s)
    except (DeliveryPending, TrackingDenied) as error:
        _log.warning("left with events not delivered", problem=error.problem, cure=error.cure)
