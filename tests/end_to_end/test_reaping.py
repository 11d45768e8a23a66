"""A process that is killed in the middle of a trial: its runs end in the store, as lost."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from studbook.adapters.home.leases import HomeLeases
from studbook.adapters.home.pins import HomePins
from studbook.adapters.journal.event_log import JournalEventLog
from studbook.adapters.journal.ledger import JournalDeliveryLedger
from studbook.adapters.memory.artifact_store import MemoryArtifactStore
from studbook.adapters.memory.tracking_store import MemoryTrackingStore
from studbook.adapters.system.clock import SystemClock
from studbook.adapters.system.ids import SystemIds
from studbook.application.open_runs import run_changes
from studbook.application.reap import LeftAlone, ReapDead
from studbook.application.relay import Relay
from studbook.application.store_writer import StoreWriter
from studbook.application.writer_watch import WriterWatch
from studbook.domain.run import RunStatus
from studbook.domain.vocabulary import DEFAULT_VOCABULARY
from studbook.ports.run_query import ANY_STATUS, RunQuery

WRITER = """
import pathlib, sys
from studbook.adapters.home.leases import HomeLeases
from studbook.adapters.journal.event_log import JournalEventLog
from studbook.adapters.system.clock import SystemClock
from studbook.adapters.system.ids import SystemIds
from studbook.application.keepalive import KeepAlive
from studbook.domain.run_events import MetricsLogged, RunStarted
from studbook.domain.run_identity import ad_hoc
from studbook.domain.stage import Stage
from studbook.ports.event_log import Happening

home, clock = pathlib.Path(sys.argv[1]), SystemClock()
log = JournalEventLog(home, clock=clock, ids=SystemIds(), target="memory")
keep = KeepAlive(log, HomeLeases(home), clock)

def start(name, stage, parent=None):
    identity = ad_hoc("p", stage, name, parent, "0")
    keep.opened(identity.key)
    event = RunStarted(project="p", stage=stage, subject=identity.subject, attempt=1, name=name,
                       experiment="e", parent=parent, version="1")
    log.append(Happening(event, identity.key, clock.now_ns()))
    return identity.key

sweep = start("sweep", Stage.SWEEP)
trial = start("trial", Stage.TRIAL, sweep)
last = clock.now_ns()
log.append(Happening(MetricsLogged(metrics={"loss": 0.5}), trial, last))
print(last, flush=True)
sys.stdin.read()
"""


class Home:
    """A home as another process finds it, and a backend."""

    def __init__(self, folder: Path) -> None:
        clock, ids = SystemClock(), SystemIds()
        self.log = JournalEventLog(folder, clock=clock, ids=ids, target="memory")
        self.ledger = JournalDeliveryLedger(folder, "t1")
        self.store = MemoryTrackingStore(run_key_tag=DEFAULT_VOCABULARY.key("run.key"))
        pins = HomePins(folder, ids)
        artifacts, ours = MemoryArtifactStore(), DEFAULT_VOCABULARY
        writer = StoreWriter(self.store, artifacts, self.ledger, pins, ours, self.log, clock)
        self.relay = Relay(self.log, self.ledger, writer, DEFAULT_VOCABULARY, clock)
        self.reap = ReapDead(self.log, self.ledger, WriterWatch(HomeLeases(folder), clock), clock, "p")


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process with a sweep and a trial under way, and when it logged last (ns)."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def test_the_runs_of_a_killed_process_end_as_lost_and_its_trial_has_failed(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with writing(tmp_path) as (process, last_ns):
        process.kill()
        process.wait(30)
        assert [run.stage for run in home.reap().reaped] == ["hpo_trial", "hpo_sweep"]
    assert home.relay.drain().refused == 0
    runs = {run.name: run for run in home.store.find(RunQuery(home.store.experiments(), ANY_STATUS))}
    assert {run.status for run in runs.values()} == {RunStatus.KILLED}
    reason, state = DEFAULT_VOCABULARY.key("run.end_reason"), DEFAULT_VOCABULARY.key("trial.state")
    assert {run.tags[reason] for run in runs.values()} == {"lost"}
    assert runs["trial"].ended_at_ms == last_ns // 1_000_000
    assert runs["trial"].tags[state] == "FAILED"
    assert state not in runs["sweep"].tags
    assert home.reap().reaped == ()


@pytest.mark.parametrize("delivered", [0, 1, 2])
def test_a_stopped_process_keeps_its_runs(tmp_path: Path, delivered: int) -> None:
    home = Home(tmp_path)
    with writing(tmp_path) as (process, _):
        chunk = list(islice(home.log.read(), delivered))
        home.ledger.advance({each.writer: each.sequence for each in chunk}, run_changes(chunk))
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        report = home.reap(wait=True, older_than_s=0)
        assert report.reaped == ()
        assert [each.why for each in report.left] == [LeftAlone.ALIVE] * 2
        process.kill()
        process.wait(30)
        assert len(home.reap().reaped) == 2
