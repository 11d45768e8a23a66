"""Who carries a book's events to the stores: this process, a relay process beside it, or whoever is told to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..domain.errors import DeliveryPending, TrackingDenied
from ..domain.keys import RunKey
from ..ports.clock import Clock
from ..ports.delivery_ledger import DeliveryLedger
from ..ports.event_log import Cursor, EventLog
from ..ports.log import get_logger
from ..ports.relay_launcher import RelayLauncher
from .relay import Relay
from .undelivered import undelivered
from .writer_watch import WriterWatch

_TIMEOUT_S = 60.0
_FIRST_LOOK_S = 0.01
_LONGEST_LOOK_S = 0.05
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
    """Drains in this process, when asked; while another relay of the home is at work, waits for that one instead.

    `relay` gives the relay when there is something to deliver.
    """

    def __init__(
        self, log: EventLog, ledger: DeliveryLedger, relay: Callable[[], Relay], clock: Clock
    ) -> None:
        self._log = log
        self._barrier = _Barrier(ledger, clock)
        self._ledger = ledger
        self._relay = relay

    def begin(self) -> None:
        """Nothing to do."""

    def flush(self, timeout_s: float | None = None) -> None:
        """Drain now: a drain takes everybody's events."""
        self._barrier.hold(self._waiting, timeout_s, relay=self._relay)

    def catch_up(self, timeout_s: float | None = None) -> None:
        """Drain now."""
        self.flush(timeout_s)

    def run_id(self, run_key: RunKey) -> str | None:
        """From the ledger."""
        return self._ledger.run_id(run_key)

    def leave(self, timeout_s: float) -> None:
        """Drain once more."""
        _leave(self, timeout_s)

    def _waiting(self) -> Cursor:
        return {each.writer: each.sequence for each in self._log.read(self._ledger.cursor())}


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
        relay: Callable[[], Relay],
        clock: Clock,
    ) -> None:
        self._log = log
        self._barrier = _Barrier(ledger, clock)
        self._ledger = ledger
        self._launcher = launcher
        self._watch = watch
        self._relay = relay

    def begin(self) -> None:
        """See to it that a relay process is there."""
        self._launcher.ensure()

    def flush(self, timeout_s: float | None = None) -> None:
        """Wait until the relay process has carried over what this book has recorded by now."""
        own = self._own()
        self._barrier.hold(lambda: own, timeout_s, launcher=self._launcher)

    def catch_up(self, timeout_s: float | None = None) -> None:
        """Wait also for what writers that are gone, or were never here, have left in the journal.

        Not for the living ones, which have a relay at work: what they do goes on while the answer is read. Where no
        relay is at work, this process delivers: it needs the store for its question anyway.
        """
        wanted = {**self._left_behind(), **self._own()}
        if undelivered(self._ledger, wanted):
            self._barrier.hold(lambda: wanted, timeout_s, relay=self._relay)

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


class _Barrier:
    """Waits until a cursor is reached: by this process's own work where it may, else by another's."""

    def __init__(self, ledger: DeliveryLedger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    def hold(
        self,
        wanted: Callable[[], Cursor],
        timeout_s: float | None,
        *,
        relay: Callable[[], Relay] | None = None,
        launcher: RelayLauncher | None = None,
    ) -> None:
        """Return when the ledger has reached what is `wanted` now. With `relay`, drains when nobody else does; with
        `launcher`, has a relay process at work. Raises DeliveryPending, TrackingDenied.
        """
        goal: Cursor | None = None
        if relay is None:
            goal = wanted()
        deadline = self._clock.monotonic_ns() + int((_TIMEOUT_S if timeout_s is None else timeout_s) * 1e9)
        look = _FIRST_LOOK_S
        launch_at = 0
        while goal is None or undelivered(self._ledger, goal) > 0:
            now = self._clock.monotonic_ns()
            if relay is not None and self._drained_here(relay, (deadline - now) / 1e9):
                return
            goal = wanted() if goal is None else goal
            if now >= deadline:
                raise self._pending(undelivered(self._ledger, goal))
            if launcher is not None and now >= launch_at:
                launcher.ensure()
                launch_at = now + int(_LAUNCH_EVERY_S * 1e9)
            self._clock.sleep(min(look, max(0.0, (deadline - now) / 1e9)))
            look = min(2 * look, _LONGEST_LOOK_S)

    def _drained_here(self, relay: Callable[[], Relay], left_s: float) -> bool:
        """Whether the lease was free, so that this process delivered."""
        with self._ledger.lease(0.0) as free:
            if free:
                relay().drain_in_time(max(0.0, left_s))
                self._ledger.report(None)
        return free

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
