"""The fake event log keeps the promises of an event log."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.memory.event_log import MemoryEventLog, MemoryJournal
from studbook.adapters.memory.ids import CountingIds
from studbook.ports.contract.event_log import EventLogContract, metric
from studbook.ports.event_log import EventLog


class TestMemoryEventLog(EventLogContract):
    @pytest.fixture
    def open_log(self) -> Callable[[], EventLog]:
        clock, ids, journal = ManualClock(), CountingIds(), MemoryJournal()
        return lambda: MemoryEventLog(clock, ids, journal=journal)


def test_logs_without_a_common_journal_know_nothing_of_each_other() -> None:
    clock, ids = ManualClock(), CountingIds()
    one, two = MemoryEventLog(clock, ids), MemoryEventLog(clock, ids)
    one.append(metric(0))
    assert list(two.read()) == []
