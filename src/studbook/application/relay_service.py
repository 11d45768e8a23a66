"""The relay at work in a process of its own: delivers, reaps the dead, and leaves when nothing is left to do."""

from __future__ import annotations

from collections.abc import Callable

from ..domain.errors import HomeUnusable, JournalError, TrackingError
from ..domain.liveness import Liveness
from ..ports.clock import Clock
from ..ports.delivery_ledger import DeliveryLedger
from ..ports.log import get_logger
from .reap import ReapDead
from .relay import Relay
from .writer_watch import WriterWatch

_POLL_S = 0.05
_DRAIN_S = 30.0
_NAP_S = 0.5
_TAKE_OVER_S = 5.0

_log = get_logger(__name__)


class RelayService:
    """One leased relay a home and target; a second one leaves at once.

    It stays as long as a writer of the home lives or an event waits, looks once more after giving up its lease,
    and can die anywhere. Trouble that does not pass by itself, as refused credentials, lets it rest for
    `denied_pause_s` seconds.
    """

    def __init__(
        self,
        relay: Relay,
        ledger: DeliveryLedger,
        reap: ReapDead,
        watch: WriterWatch,
        clock: Clock,
        *,
        forget_dead: Callable[[], object],
        denied_pause_s: float = 60.0,
    ) -> None:
        self._relay = relay
        self._ledger = ledger
        self._reap = reap
        self._watch = watch
        self._clock = clock
        self._forget_dead = forget_dead
        self._denied_pause_s = denied_pause_s
        self._stopping = False

    def stop(self) -> None:
        """Leave after what is being delivered now."""
        self._stopping = True

    def run(self, *, stay: bool = False) -> None:
        """Serve until nothing is left to do; with `stay`, until `stop`, and after another relay.

        Raises HomeUnusable.
        """
        while not self._stopping:
            with self._ledger.lease(_TAKE_OVER_S) as held:
                if not held:
                    if stay:
                        continue
                    _log.info("another relay is at work")
                    return
                self._serve(stay=stay)
            # Whoever came while the lease was held has started no relay: it counts on this one.
            if not stay and not self._relay.pending() and not self._anybody_lives():
                return

    def _serve(self, *, stay: bool) -> None:
        while not self._stopping:
            # A look before the delivery: what a writer that is dead by then has written is all there to read.
            alive = self._anybody_lives()
            delivered = self._deliver()
            self._reap_dead()
            if delivered and not alive and not self._relay.pending():
                self._tidy_up()
                if not stay:
                    return
            self._clock.sleep(_POLL_S)

    def _deliver(self) -> bool:
        try:
            problem = self._relay.carry(_DRAIN_S)
        except TrackingError as error:
            self._ledger.report(error.problem)
            pause_s = self._denied_pause_s
            _log.error("the backend cannot be delivered to", problem=error.problem, next_try_s=pause_s)
            self._rest(pause_s)
            return False
        self._ledger.report(problem)
        return problem is None

    def _rest(self, seconds: float) -> None:
        """Wait in short naps, so that `stop` is heard."""
        until = self._clock.monotonic_ns() + int(seconds * 1e9)
        while not self._stopping and self._clock.monotonic_ns() < until:
            self._clock.sleep(_NAP_S)

    def _tidy_up(self) -> None:
        try:
            self._forget_dead()
        except (HomeUnusable, JournalError) as error:
            _log.error("leases of the dead stay", problem=error.problem)

    def _reap_dead(self) -> None:
        try:
            self._reap()
        except HomeUnusable as error:
            _log.error("the dead cannot be told from the living", problem=error.problem)

    def _anybody_lives(self) -> bool:
        look = self._watch.look()
        return any(
            look.of(writer) is not Liveness.DEAD for writer in look.liveness if writer not in look.copied
        )
