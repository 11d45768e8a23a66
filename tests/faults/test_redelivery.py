"""Every event is delivered three times, by a relay that forgot and by one that never knew: the store is the same."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing

from dependency_injector import providers

from faults.fault_home import FaultHome
from faults.seeds import every_seed
from faults.workload import Workload
from studbook.adapters.memory.delivery_ledger import MemoryDeliveryLedger


def rewind(home: FaultHome, draw: random.Random) -> int:
    """Have the ledger believe in less than was delivered; how many events are to be delivered again."""
    (ledger,) = (home.home / "delivery").glob("*/ledger.db")
    with closing(sqlite3.connect(ledger)) as database, database:
        for writer, sequence in database.execute("SELECT writer, sequence FROM cursor").fetchall():
            earlier = draw.randrange(sequence)
            database.execute("UPDATE cursor SET sequence = ? WHERE writer = ?", (earlier, writer))
    return home.pending()


@every_seed
def test_three_deliveries_of_every_event_are_as_one(home: FaultHome, seed: int) -> None:
    draw = random.Random(seed)
    with home.open_book("manual") as book:
        work = Workload(book, seed, home.folder / "sources")
        for _ in range(200):
            work.step()
    expected = home.expected()
    events = home.pending()

    assert deliver(home) == (events, 0)
    assert home.state() == expected

    # The bytes of the artifacts were given up when they were delivered: they must not be asked for again.
    again = rewind(home, draw)
    assert deliver(home) == (again, 0)
    assert home.state() == expected

    for _ in range(2):
        assert deliver(home, providers.Object(MemoryDeliveryLedger())) == (events, 0)
        assert home.state() == expected


def deliver(home: FaultHome, ledger: providers.Object[MemoryDeliveryLedger] | None = None) -> tuple[int, int]:
    """By a relay of its own, with another ledger or the home's: how many events were delivered, and refused."""
    container = home.container()
    if ledger is not None:
        container.ledger.override(ledger)
    done = container.relay().drain()
    container.tracking_store().close()
    return done.delivered, done.refused
