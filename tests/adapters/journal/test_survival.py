"""What the journal's writer survives: being killed, interrupted, forked, and out of space."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType

import pytest
import structlog

from studbook.adapters.journal.event_log import Fsync, JournalEventLog
from studbook.adapters.journal.segment import Segment
from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.memory.ids import CountingIds
from studbook.adapters.system.clock import SystemClock
from studbook.adapters.system.ids import SystemIds
from studbook.domain.errors import HomeUnusable, JournalError
from studbook.domain.events import Event
from studbook.domain.run import Ending
from studbook.domain.run_events import ParamsLogged, RunEnded, RunHeartbeat, TagsSet
from studbook.ports.contract.event_log import happening, metric, step_of

PREAMBLE = """
import os, resource, sys
from pathlib import Path
from studbook.adapters.journal.event_log import Fsync, JournalEventLog
from studbook.adapters.system.clock import SystemClock
from studbook.adapters.system.ids import SystemIds
from studbook.domain.errors import JournalError
from studbook.ports.contract.event_log import RUN, metric
log = JournalEventLog(
    Path(sys.argv[1]), clock=SystemClock(), ids=SystemIds(), target="memory", fsync=Fsync.NEVER
)
"""

ENDLESS = """
step = 0
while True:
    if step % 3:
        log.append(*(metric(step) for _ in range(1 + step % 3)))
    else:
        log.append_metrics(RUN, {"loss": 1.0}, step, 1)
    os.write(1, b"%d\\n" % log.written()[1])
    step += 1
"""

FULL = """
def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
kept = [log.append(metric(0))[0].sequence]
limit(1000)
kept += [log.append(metric(n), metric(n))[-1].sequence for n in range(1, 20)]
limit(0)
for _ in range(3):
    try:
        if kept[-1] % 2:
            log.append(metric(99), metric(99))
        log.append_metrics(RUN, {"loss": 1.0}, 99, 1)
    except JournalError as error:
        assert "space" in error.cure, error.cure
        print("full")
limit(resource.RLIM_INFINITY)
kept += [log.append(metric(n))[0].sequence for n in range(20, 23)]
log.sync()
log.close()
print(kept)
"""


def open_log(home: Path, fsync: Fsync = Fsync.NEVER) -> JournalEventLog:
    return JournalEventLog(home, clock=SystemClock(), ids=SystemIds(), target="memory", fsync=fsync)


@pytest.mark.parametrize("seed", range(4))
def test_a_killed_process_loses_no_append_that_returned(tmp_path: Path, seed: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + ENDLESS, str(tmp_path)], stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        for _ in range(random.Random(seed).randint(1, 2000)):
            acknowledged = int(child.stdout.readline())
        child.kill()
        acknowledged = max([acknowledged, *(int(line) for line in child.stdout.read().split(b"\n")[:-1])])
    log = open_log(tmp_path)
    read = list(log.read())
    assert [envelope.sequence for envelope in read] == list(range(1, len(read) + 1))
    assert len(read) >= acknowledged
    steps = [step_of(envelope) for envelope in read]
    assert all(steps.count(step) == 1 + step % 3 for step in {0, steps[-1]})
    assert log.damage() == ()
    (mine,) = log.append(metric(0))
    assert [e for e in log.read() if e.writer == log.writer] == [mine]


def test_a_file_that_takes_no_more_is_left_for_another_and_a_full_disk_is_an_error_that_passes(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + FULL, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    *full, kept = done.stdout.strip().splitlines()[-4:]
    assert full == ["full"] * 3
    assert kept == str([1, *range(3, 40, 2), 40, 41, 42])
    log = open_log(tmp_path)
    read = list(log.read())
    assert [e.sequence for e in read] == list(range(1, 43))
    assert [step_of(e) for e in read] == [0, *(n for n in range(1, 20) for _ in range(2)), 20, 21, 22]
    assert log.damage() == ()
    assert log.torn() > 0
    heads = log.heads()
    assert len(heads) == len(list((tmp_path / "journal").iterdir())) > 2
    assert {head.first for head in heads} <= {e.sequence for e in read}


class Interrupted(BaseException):
    """What the signal handler of the next test raises."""


# An interrupt inside pydantic's serializer can be printed instead of raised.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupted_append_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    draw = random.Random(7)
    armed = False
    interruptions = 0

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        if armed:
            raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    acknowledged: dict[int, int] = {}
    try:
        log.append(metric(0))
        for step in range(1, 1500):
            try:
                armed = True
                signal.setitimer(signal.ITIMER_REAL, draw.uniform(1e-6, 6e-5))
                first, _ = log.append(metric(step), metric(step))
                armed = False
                acknowledged[step] = first.sequence
            except Interrupted:
                armed = False
                interruptions += 1
    finally:
        armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert interruptions > 0
    log.append(metric(-1))
    read = list(log.read())
    assert [e.sequence for e in read] == list(range(1, len(read) + 1))
    steps = [step_of(e) for e in read]
    assert steps[-1] == -1
    assert all(steps.count(step) == 2 for step in set(steps[1:-1]))
    assert all(steps[sequence - 1] == step for step, sequence in acknowledged.items())
    assert log.damage() == ()


class FailsLate(Segment):
    """Like a network file system: the bytes arrive, and an error comes all the same."""

    def write(self, data: bytes) -> None:
        super().write(data)
        raise OSError(errno.EIO, "late")


def test_an_append_that_arrived_in_spite_of_an_error_counts(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append(metric(0))
    writing = log._writing
    assert writing is not None
    assert writing.segment is not None
    path = writing.segment.path
    writing.segment.close()
    _, sequence, size = writing._tail
    writing._tail = (FailsLate(path, os.open(path, os.O_WRONLY | os.O_APPEND)), sequence, size)
    returned = log.append(metric(1), metric(1))
    assert [envelope.sequence for envelope in returned] == [2, 3]
    assert list(log.read())[1:] == list(returned)
    assert list((tmp_path / "journal").iterdir()) == [path]


def test_a_forked_child_writes_as_another_writer(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append(metric(0))
    held, go_on = threading.Event(), threading.Event()

    def keep_the_lock() -> None:
        with log._lock:
            held.set()
            go_on.wait(30)

    hold = threading.Thread(target=keep_the_lock)
    hold.start()
    assert held.wait(30)
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(30)
            log.append(metric(1))
            log.append(metric(2))
            os.write(sending, log.writer.encode())
        finally:
            os._exit(0)
    go_on.set()
    hold.join()
    os.close(sending)
    _, status = os.waitpid(child, 0)
    assert status == 0
    childs_writer = os.read(receiving, 100).decode()
    os.close(receiving)
    log.append(metric(3))
    assert childs_writer not in {"", log.writer}
    read = [(e.writer, e.sequence, step_of(e)) for e in log.read()]
    assert read == sorted(
        [(log.writer, 1, 0), (log.writer, 2, 3), (childs_writer, 1, 1), (childs_writer, 2, 2)]
    )
    assert log.damage() == ()


@pytest.mark.parametrize("home", ["file/home", "file"])
def test_a_home_that_cannot_be_made_is_unusable(tmp_path: Path, home: str) -> None:
    (tmp_path / "file").write_text("in the way")
    log = open_log(tmp_path / home)
    for _ in range(2):
        with pytest.raises(HomeUnusable) as unusable:
            log.append(metric(0))
        assert "--home" in unusable.value.cure
    with pytest.raises(HomeUnusable):
        log.read()
    (tmp_path / "file").unlink()
    (envelope,) = log.append(metric(0))
    assert envelope.sequence == 1
    assert list(log.read()) == [envelope]


def test_a_home_on_a_system_that_takes_no_files_is_unusable() -> None:
    with pytest.raises(HomeUnusable):
        open_log(Path("/proc/studbook")).append(metric(0))


def test_nothing_is_made_before_the_first_append(tmp_path: Path) -> None:
    home = tmp_path / "home"
    log = open_log(home)
    assert log.writer
    assert list(log.read()) == []
    log.sync()
    log.close()
    assert not home.exists()


def test_two_logs_with_one_writer_id_do_not_share_a_file(tmp_path: Path) -> None:
    logs = [
        JournalEventLog(tmp_path, clock=ManualClock(), ids=CountingIds(), target="memory") for _ in range(2)
    ]
    logs[0].append(metric(0))
    with pytest.raises(JournalError, match="two logs"):
        logs[1].append(metric(1))
    assert [step_of(envelope) for envelope in logs[0].read()] == [0]


def test_a_head_says_whose_events_these_are_and_where_they_go(tmp_path: Path) -> None:
    log = JournalEventLog(
        tmp_path,
        clock=ManualClock(now_ns=17),
        ids=CountingIds(),
        target="https://mlflow.example",
        project="p",
    )
    log.append(metric(0))
    (head,) = log.heads()
    assert (head.writer, head.segment, head.first) == (log.writer, 1, 1)
    assert (head.project, head.target, head.opened_at_ns) == ("p", "https://mlflow.example", 17)
    log.close()


@pytest.mark.parametrize(
    ("policy", "event", "waits"),
    [
        (Fsync.LIFECYCLE, RunEnded(ending=Ending.finished()), True),
        (Fsync.LIFECYCLE, metric(0).event, False),
        (Fsync.LIFECYCLE, RunHeartbeat(), False),
        (Fsync.LIFECYCLE, TagsSet(tags={}), False),
        (Fsync.LIFECYCLE, ParamsLogged(params={}), False),
        (Fsync.ALWAYS, metric(0).event, True),
        (Fsync.NEVER, RunEnded(ending=Ending.finished()), False),
    ],
)
def test_lifecycle_events_wait_for_the_disk(
    tmp_path: Path, policy: Fsync, event: Event, *, waits: bool
) -> None:
    log = open_log(tmp_path, policy)
    log.append(metric(0), happening(event))
    writing = log._writing
    assert writing is not None
    assert writing.segment is not None
    assert writing.segment.unsynced is not waits
    log.sync()
    assert writing.segment.unsynced is False
    log.close()


def test_damage_is_logged_with_its_place_once(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    for step in range(3):
        log.append(metric(step))
    (segment,) = (tmp_path / "journal").iterdir()
    content = bytearray(segment.read_bytes())
    content[content.index(b'"seq":2')] ^= 1
    segment.write_bytes(content)
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            assert [envelope.sequence for envelope in log.read()] == [1, 3]
    (entry,) = [entry for entry in logs if entry["event"] == "journal corrupt"]
    assert (entry["log_level"], entry["segment"]) == ("error", segment.name)
    assert entry["offset"] == log.damage()[0].offset
