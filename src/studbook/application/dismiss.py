"""Dismisses refused events: they will not be delivered, and need nobody's attention any more."""

from __future__ import annotations

from collections.abc import Iterable

from ..domain.errors import RefusalNotFound
from ..domain.keys import RunKey
from ..domain.run_events import RefusalDismissed
from ..ports.clock import Clock
from ..ports.delivery_ledger import DeliveryLedger, Refusal
from ..ports.event_log import EventLog, Happening

EVERYTHING = "all"
_FEWEST_DIGITS = 12


class DismissRefusals:
    """The use case. The dismissal is an event, which the next delivery takes to the ledger."""

    def __init__(self, log: EventLog, ledger: DeliveryLedger, clock: Clock) -> None:
        self._log = log
        self._ledger = ledger
        self._clock = clock

    def __call__(self, names: Iterable[str]) -> tuple[Refusal, ...]:
        """Dismiss the refused events that are named: `<writer>/<sequence>`; a run's key, or the first 12 digits or more
        of one, for all of that run; `all`. All or none: raises RefusalNotFound for a name that none has.
        """
        refusals = self._ledger.refusals()
        chosen: dict[tuple[str, int], Refusal] = {}
        for name in names:
            found = [refusal for refusal in refusals if _has(refusal, name)]
            if not found and name != EVERYTHING:
                raise RefusalNotFound(
                    f"no refused event is called {name[:100]!r}",
                    cure="`studbook status` lists them: <writer>/<sequence>, and the run",
                    name=name,
                )
            chosen.update({(refusal.writer, refusal.sequence): refusal for refusal in found})
        if chosen:
            now = self._clock.now_ns()
            self._log.append(*(Happening(_event(each), each.run_key, now) for each in chosen.values()))
        return tuple(chosen.values())


def _has(refusal: Refusal, name: str) -> bool:
    if name in (EVERYTHING, f"{refusal.writer}/{refusal.sequence}"):
        return True
    digits = name.removeprefix(f"{RunKey.KIND}:")
    run_key = refusal.run_key
    return (
        run_key is not None and len(digits) >= _FEWEST_DIGITS and run_key.partition(":")[2].startswith(digits)
    )


def _event(refusal: Refusal) -> RefusalDismissed:
    return RefusalDismissed(writer=refusal.writer, sequence=refusal.sequence, reason=refusal.reason)
