"""The journal keeps the promises of an event log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from studbook.adapters.journal.event_log import Fsync, JournalEventLog
from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.memory.ids import CountingIds
from studbook.ports.contract.event_log import EventLogContract
from studbook.ports.event_log import EventLog


class TestJournalEventLog(EventLogContract):
    @pytest.fixture
    def open_log(self, tmp_path: Path) -> Callable[[], EventLog]:
        clock, ids = ManualClock(), CountingIds()
        return lambda: JournalEventLog(tmp_path, clock=clock, ids=ids, target="memory", fsync=Fsync.NEVER)
