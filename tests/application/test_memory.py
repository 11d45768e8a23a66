"""What the writer and the relay hold in memory does not grow with the number of events."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

from studbook.adapters.home.pins import HomePins
from studbook.adapters.journal.event_log import JournalEventLog
from studbook.adapters.memory.artifact_store import MemoryArtifactStore
from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.memory.delivery_ledger import MemoryDeliveryLedger
from studbook.adapters.memory.ids import CountingIds
from studbook.adapters.memory.tracking_store import MemoryTrackingStore
from studbook.application.bus import Bus
from studbook.application.recorder import Recorder
from studbook.application.relay import Delivery, Relay
from studbook.application.store_writer import StoreWriter
from studbook.domain.store_writes import RecordBatch
from studbook.domain.vocabulary import DEFAULT_VOCABULARY

from .relay_world import RUN_KEY_TAG, run_key, started

_FEW = 6_000
_MANY = 4 * _FEW
_GENEROUS = 1.5


class _Forgetful(MemoryTrackingStore):
    """Counts the points that it is given, and forgets them."""

    points = 0
    largest = 0

    def record(self, run_id: str, batch: RecordBatch) -> None:
        self.points += len(batch.metrics)
        self.largest = max(self.largest, len(batch.metrics))


class _Home:
    """A journal on disk with one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock, self.ids = ManualClock(), CountingIds()
        self.log = JournalEventLog(folder, clock=self.clock, ids=self.ids, target="memory")
        self.recorder = Recorder(self.log, self.clock, Bus())
        self.key = run_key("a")
        self.recorder.record(self.key, started("a"))

    def logs(self, events: int) -> None:
        """So many events with two points each."""
        for step in range(events):
            self.recorder.record_metrics(self.key, {"loss": step / 3, "accuracy": step / 7}, step)

    def delivers(self) -> tuple[Delivery, _Forgetful]:
        """A relay that knows nothing delivers everything."""
        store = _Forgetful(run_key_tag=RUN_KEY_TAG)
        ledger, pins = MemoryDeliveryLedger(), HomePins(self.folder, self.ids)
        writer = StoreWriter(
            store, MemoryArtifactStore(), ledger, pins, DEFAULT_VOCABULARY, self.log, self.clock
        )
        return Relay(self.log, ledger, writer, DEFAULT_VOCABULARY, self.clock).drain(), store


def peak_of(work: Callable[[], object]) -> int:
    """The most bytes that Python objects took while it worked, beyond what was there before."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_relay_holds_as_much_of_a_long_journal_as_of_a_short_one(tmp_path: Path) -> None:
    peaks = []
    for events in (_FEW, _MANY):
        home = _Home(tmp_path / str(events))
        home.logs(events)
        done: list[tuple[Delivery, _Forgetful]] = []
        peaks.append(peak_of(lambda home=home, done=done: done.append(home.delivers())))  # type: ignore[misc]
        ((delivery, store),) = done
        assert delivery == Delivery(events + 1, 0)
        assert store.points == 2 * events
        assert store.largest < 2 * _FEW
    few, many = peaks
    assert many < _GENEROUS * few


def test_a_writer_holds_as_much_after_many_events_as_after_few(tmp_path: Path) -> None:
    home = _Home(tmp_path)
    home.logs(100)
    few = peak_of(lambda: home.logs(_FEW))
    many = peak_of(lambda: home.logs(_MANY))
    assert many < _GENEROUS * few
