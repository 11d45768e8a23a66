"""An event log that fails for as long as it is told to."""

from __future__ import annotations

from studbook.adapters.memory.event_log import MemoryEventLog
from studbook.adapters.memory.fluent_runs import MemoryFluentRuns
from studbook.application.bus import Bus
from studbook.application.open_run import OpenRun
from studbook.application.recorder import Recorder
from studbook.application.run_opening import RunOpening
from studbook.domain.errors import JournalError, StudbookError
from studbook.domain.events import Envelope
from studbook.ports.event_log import Happening

from .relay_world import World

FULL = JournalError("no space", cure="free some")


class FailingLog(MemoryEventLog):
    """A further writer of the world's home; raises `error` on appends while there is one, and counts tries."""

    def __init__(self, world: World) -> None:
        super().__init__(world.clock, world.ids, journal=world.journal)
        self.error: StudbookError | None = None
        self.tries = 0

    def append(self, *happenings: Happening) -> tuple[Envelope, ...]:
        self.tries += 1
        if self.error is not None:
            raise self.error
        return super().append(*happenings)


def open_run_on(world: World, log: MemoryEventLog, *, strict: bool = False) -> OpenRun:
    """Opens runs that are recorded in this log."""
    recorder = Recorder(log, world.clock, Bus(), strict=strict)
    return OpenRun(
        recorder, RunOpening(world.project), world.builder, world.catalog(), world.ids, MemoryFluentRuns()
    )
