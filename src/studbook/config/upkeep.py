"""What looks after a home is made of: all its targets, its whole journal, and delivery to another target."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from dependency_injector import providers

from ..application.project import Project
from ..application.writer_watch import WriterWatch
from ..domain.errors import UnsupportedTarget
from .tracking_target import TargetKind, TrackingTarget, named_target

if TYPE_CHECKING:
    from ..ports.clock import Clock
    from ..ports.delivery_ledger import DeliveryLedger
    from ..ports.event_log import EventLog
    from ..ports.ids import Ids
    from ..ports.journal_survey import JournalSurvey
    from ..ports.pins import Pins
    from .container import Container


def journal_survey(home: Path, watch: WriterWatch) -> JournalSurvey:
    """Surveys the home's journal."""
    from ..adapters.journal.survey import HomeJournalSurvey

    return HomeJournalSurvey(home, alive=watch.may_write)


def whole_journal(
    home: Path, clock: Clock, ids: Ids, target: TrackingTarget, project: Project, watch: WriterWatch
) -> EventLog:
    """The home's log, read whole: what was recorded for every target."""
    from ..adapters.journal.whole_journal import WholeJournal

    return WholeJournal(
        home, clock=clock, ids=ids, target=target.display, project=project.name, alive=watch.may_write
    )


def ledgers(
    home: Path, target: TrackingTarget, own: DeliveryLedger
) -> Callable[[str], DeliveryLedger | None]:
    """Gives the ledger of a target by its display text; None when nothing was delivered to it. Makes no file."""
    from ..adapters.journal.ledger import JournalDeliveryLedger

    def ledger_of(display: str) -> DeliveryLedger | None:
        if target.kind is TargetKind.MEMORY and display == target.display:
            return own
        try:
            found = JournalDeliveryLedger(home, named_target(display).id)
        except UnsupportedTarget:  # recorded by a version that knew more kinds
            return None
        return found if found.exists else None

    return ledger_of


def deliver_all(container: Container) -> None:
    """Have the container deliver what the home holds for any target to its own one.

    The files of runs stay in the home: their own target may still need them.
    """
    container.event_log.override(container.whole_log)
    container.pins.override(providers.Singleton(_lent_pins, container.home, container.ids))


def _lent_pins(home: Path, ids: Ids) -> Pins:
    from ..adapters.home.pins import LentPins

    return LentPins(home, ids)
