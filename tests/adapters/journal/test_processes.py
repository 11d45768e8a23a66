"""Several processes, forked or spawned, with and without threads, write one home's journal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

from studbook.adapters.journal.event_log import Fsync, JournalEventLog
from studbook.adapters.system.clock import SystemClock
from studbook.adapters.system.ids import SystemIds
from studbook.ports.contract.event_log import RUN, metric, step_of

EVENTS = 300

SPAWNING = f"""
import multiprocessing, sys
from pathlib import Path
from studbook.adapters.journal.event_log import JournalEventLog
from studbook.adapters.system.clock import SystemClock
from studbook.adapters.system.ids import SystemIds
from studbook.ports.contract.event_log import RUN, metric

def work(home, worker):
    log = JournalEventLog(Path(home), clock=SystemClock(), ids=SystemIds(), target="memory")
    for n in range({EVENTS}):
        if n % 2:
            log.append(metric(1000 * worker + n))
        else:
            log.append_metrics(RUN, {{"loss": 1.0}}, 1000 * worker + n, 1)
    log.close()

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    children = [context.Process(target=work, args=(sys.argv[1], worker)) for worker in (1, 2)]
    for child in children:
        child.start()
    work(sys.argv[1], 0)
    for child in children:
        child.join()
    sys.exit(max(child.exitcode for child in children))
"""


def open_log(home: Path) -> JournalEventLog:
    return JournalEventLog(
        home, clock=SystemClock(), ids=SystemIds(), target="memory", segment_bytes=20_000, fsync=Fsync.NEVER
    )


def write(log: JournalEventLog, worker: int) -> None:
    """Append events with the worker's steps, by both ways."""
    for n in range(EVENTS):
        if n % 2:
            log.append(metric(1000 * worker + n))
        else:
            log.append_metrics(RUN, {"loss": 1.0}, 1000 * worker + n, 1)


def check(home: Path, workers: set[int]) -> None:
    """Every worker's events are there once, in order, and every writer's sequences have no gaps."""
    log = open_log(home)
    read = list(log.read())
    assert log.damage() == ()
    steps = [step_of(envelope) for envelope in read]
    assert Counter(steps) == Counter(1000 * worker + n for worker in workers for n in range(EVENTS))
    for worker in workers:
        mine = [step for step in steps if step // 1000 == worker]
        assert mine == sorted(mine)
    for writer in {envelope.writer for envelope in read}:
        sequences = [envelope.sequence for envelope in read if envelope.writer == writer]
        assert sequences == list(range(1, len(sequences) + 1))


def test_spawned_processes_write_beside_their_parent(tmp_path: Path) -> None:
    script = tmp_path / "training.py"  # a spawned child imports the file that it was started from
    script.write_text(SPAWNING)
    home = tmp_path / "home"
    done = subprocess.run(
        [sys.executable, script, home], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert len({head.writer for head in open_log(home).heads()}) == 3
    check(home, {0, 1, 2})


def test_children_forked_amid_writing_threads_write_as_others(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    threads = [threading.Thread(target=write, args=(log, worker)) for worker in (0, 1, 2)]
    for thread in threads:
        thread.start()
    children = []
    for worker in (3, 4, 5, 6):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                signal.alarm(60)
                more = [threading.Thread(target=write, args=(log, each)) for each in (worker, worker + 10)]
                for thread in more:
                    thread.start()
                for thread in more:
                    thread.join()
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    for thread in threads:
        thread.join()
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    check(tmp_path, {0, 1, 2, 3, 4, 5, 6, 13, 14, 15, 16})
