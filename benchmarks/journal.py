"""A million metric events: what they cost on disk, in the writer's and the relay's memory, and to read again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from .figure import Figure, Unit
from .measure import readable

_EVENTS = 1_000_000

_WRITER = """
import json, resource, sys, time
from pathlib import Path
from studbook.adapters.journal.event_log import JournalEventLog
from studbook.adapters.system.clock import SystemClock
from studbook.adapters.system.ids import SystemIds
from studbook.domain.keys import RunKey

home, events = Path(sys.argv[1]), int(sys.argv[2])
log = JournalEventLog(home, clock=SystemClock(), ids=SystemIds(), target="memory")
keys = [RunKey(f"rk3:{n:064x}") for n in range(100)]

def write(count):
    begun = time.perf_counter()
    for step in range(count):
        log.append_metrics(keys[step % 100], {"train/loss": 1.0 / (step + 1)}, step, time.time_ns())
    return (time.perf_counter() - begun) / count

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

write(10_000)
before = peak()
seconds = write(events)
grown = peak() - before
log.close()
files = [each.stat().st_size for each in (home / "journal").iterdir()]
print(json.dumps({"seconds": seconds, "grown": grown, "size": sum(files), "segments": len(files)}))
"""

_READER = """
import json, resource, sys, time
from pathlib import Path
from studbook.adapters.journal.event_log import JournalEventLog
from studbook.adapters.system.clock import SystemClock
from studbook.adapters.system.ids import SystemIds

log = JournalEventLog(Path(sys.argv[1]), clock=SystemClock(), ids=SystemIds(), target="memory")
begun = time.perf_counter()
count = sum(1 for _ in log.read())
print(json.dumps({"count": count, "seconds": (time.perf_counter() - begun) / count}))
"""

_RELAY = """
import json, resource, sys
from pathlib import Path
from studbook.adapters.home.pins import HomePins
from studbook.adapters.journal.event_log import JournalEventLog
from studbook.adapters.memory.artifact_store import MemoryArtifactStore
from studbook.adapters.memory.delivery_ledger import MemoryDeliveryLedger
from studbook.adapters.memory.tracking_store import MemoryTrackingStore
from studbook.adapters.system.clock import SystemClock
from studbook.adapters.system.ids import SystemIds
from studbook.application.relay import Relay
from studbook.application.store_writer import StoreWriter
from studbook.domain.keys import RunKey
from studbook.domain.vocabulary import DEFAULT_VOCABULARY

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

class Forgetful(MemoryTrackingStore):
    points = before = 0

    def record(self, run_id, batch):
        self.points += len(batch.metrics)
        if self.points < 10_000:
            self.before = peak()

home, clock, ids = Path(sys.argv[1]), SystemClock(), SystemIds()
log = JournalEventLog(home, clock=clock, ids=ids, target="memory")
store, ledger = Forgetful(run_key_tag="key"), MemoryDeliveryLedger()
for number in range(100):
    ledger.bind(RunKey(f"rk3:{number:064x}"), str(number))
pins = HomePins(home, ids)
writer = StoreWriter(store, MemoryArtifactStore(), ledger, pins, DEFAULT_VOCABULARY, log, clock)
Relay(log, ledger, writer, DEFAULT_VOCABULARY, clock).drain_held(3600)
print(json.dumps({"points": store.points, "grown": peak() - store.before, "whole": peak()}))
"""


def run(folder: Path) -> list[Figure]:
    """In processes of their own, so that peak memory is theirs."""
    written = _measured(_WRITER, str(folder), str(_EVENTS))
    read = _measured(_READER, str(folder))
    relayed = _measured(_RELAY, str(folder))
    assert read["count"] == relayed["points"] >= _EVENTS
    segments = int(written["segments"])
    detail = f"{_EVENTS:,} events, {readable(written['seconds'])} each, {segments} segments"
    return [
        Figure("on disk, an event", Unit.BYTES, (written["size"] / read["count"],), detail),
        Figure("growth of the writer's peak memory", Unit.MEGABYTES, (written["grown"] / 1e6,), "", 2.0),
        Figure(
            "growth of the relay's peak memory",
            Unit.MEGABYTES,
            (relayed["grown"] / 1e6,),
            f"from its first 10,000 events on; {relayed['whole'] / 1e6:.0f} MB in all, without a backend's client",
            10.0,
        ),
        Figure("to read an event again", Unit.MILLISECONDS, (read["seconds"] * 1e3,)),
    ]


def _measured(program: str, *arguments: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found
