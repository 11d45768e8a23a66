"""Removes the leases of writers that have died and left nothing to do: nobody needs to ask after them any more."""

from __future__ import annotations

from collections.abc import Callable

from ..domain.liveness import Liveness
from ..ports.delivery_ledger import DeliveryLedger
from ..ports.journal_survey import JournalSurvey, JournalView
from ..ports.leases import Leases
from ..ports.log import get_logger
from .undelivered import delivered_to_own
from .writer_watch import WriterWatch

_log = get_logger(__name__)


class ForgetDead:
    """The use case. `ledger_of` gives a target's ledger, if it has one yet.

    Never a living writer's lease, nor one of a copied home, whose writer may live elsewhere. A writer that only slept
    takes out its lease again.
    """

    def __init__(
        self,
        survey: JournalSurvey,
        ledger_of: Callable[[str], DeliveryLedger | None],
        leases: Leases,
        watch: WriterWatch,
    ) -> None:
        self._survey = survey
        self._ledger_of = ledger_of
        self._leases = leases
        self._watch = watch
        self._undone: frozenset[str] = frozenset()

    def __call__(self) -> tuple[str, ...]:
        """The dead writers whose events are all delivered to their target and whose runs have all ended, anywhere.

        Those that could not be forgotten are looked at again when another one has died.
        """
        look = self._watch.look()
        dead = frozenset(writer for writer, liveness in look.liveness.items() if liveness is Liveness.DEAD)
        if dead <= self._undone:
            return ()
        self._undone = dead
        done = tuple(sorted(dead - self._busy()))
        for writer in done:
            self._leases.release(writer)
            _log.info("dead writer forgotten", writer=writer)
        self._undone = dead.difference(done)
        return done

    def _busy(self) -> frozenset[str]:
        """The writers with events that are not delivered, or with open runs."""
        writers = self._survey.targets()
        ledgers = {target: self._ledger_of(target) for target in writers}
        view = self._survey.look(delivered_to_own(writers, ledgers))
        open_runs = (run for ledger in ledgers.values() if ledger is not None for run in ledger.open_runs())
        return frozenset({*view.unread, *_held(view), *(run.writer for run in open_runs)})


def _held(view: JournalView) -> frozenset[str]:
    """The writers whose later events wait for a damaged place to be mended."""
    return frozenset(place.writer for place in view.damage if place.holds)
