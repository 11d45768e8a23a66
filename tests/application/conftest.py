"""Books on one world in memory: a store, a journal and a home that outlive the books opened on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dependency_injector import providers

from studbook.adapters.memory.artifact_store import MemoryArtifactStore
from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.memory.delivery_ledger import MemoryDeliveryLedger
from studbook.adapters.memory.event_log import MemoryEventLog, MemoryJournal
from studbook.adapters.memory.ids import CountingIds
from studbook.adapters.memory.locks import MemoryLocks
from studbook.adapters.memory.machine import FixedMachine
from studbook.adapters.memory.sampler import MemorySampler
from studbook.adapters.memory.tracking_store import MemoryTrackingStore
from studbook.config.container import Container
from studbook.config.settings import load_settings
from studbook.domain.vocabulary import DEFAULT_VOCABULARY
from studbook.entrypoints.studbook import Studbook


@pytest.fixture
def clock() -> ManualClock:
    """The time of every book; it stands still until it is told to go on."""
    return ManualClock()


@pytest.fixture
def open_book(tmp_path: Path, clock: ManualClock) -> Iterator[Callable[..., Studbook]]:
    """Opens books as one process after the other of one home would. `adapters` replace those of the world, by
    the container's names: `sampler=MemorySampler()` is a home whose study storage was lost.
    """
    ids = CountingIds()
    journal = MemoryJournal()
    world: dict[str, object] = {
        "clock": clock,
        "ids": ids,
        "machine": FixedMachine(),
        "tracking_store": MemoryTrackingStore(run_key_tag=DEFAULT_VOCABULARY.key("run.key")),
        "artifact_store": MemoryArtifactStore(),
        "ledger": MemoryDeliveryLedger(),
        "locks": MemoryLocks(),
        "sampler": MemorySampler(),
    }
    opened: list[Studbook] = []

    def make(settings: dict[str, object] | None = None, **adapters: object) -> Studbook:
        said = {"tracking.uri": "memory://", "home": str(tmp_path / "home"), **(settings or {})}
        loaded = load_settings(tmp_path, said, {})
        container = Container(loaded=loaded, version="0.1.0")
        log = MemoryEventLog(clock, ids, journal=journal)
        for name, adapter in {"event_log": log, **world, **adapters}.items():
            getattr(container, name).override(providers.Object(adapter))
        opened.append(Studbook(container, loaded))
        return opened[-1]

    yield make
    for book in opened:
        book.close()


@pytest.fixture
def book(open_book: Callable[..., Studbook]) -> Studbook:
    """The first book of a test."""
    return open_book()
