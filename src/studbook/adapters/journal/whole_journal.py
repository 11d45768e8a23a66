"""The event log of a home that is read whole, whatever targets its events were recorded for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...ports.clock import Clock
from ...ports.ids import Ids
from .event_log import JournalEventLog
from .reading import JournalReader, nobody_lives


class WholeJournal(JournalEventLog):
    """Appends for `target`, as any log does; reads what was recorded for every target."""

    def __init__(
        self,
        home: Path,
        *,
        clock: Clock,
        ids: Ids,
        target: str,
        project: str = "",
        alive: Callable[[str], bool] = nobody_lives,
    ) -> None:
        super().__init__(home, clock=clock, ids=ids, target=target, project=project)
        self._reader = JournalReader(home, alive=alive)
