"""Segments of a living writer: they end at a size, are synced, outlive their own deletion, and cost no memory."""

from __future__ import annotations

import itertools
import os
import shutil
import tracemalloc
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from studbook.adapters.journal.event_log import Fsync, JournalEventLog
from studbook.adapters.system.clock import SystemClock
from studbook.adapters.system.ids import SystemIds
from studbook.domain.errors import HomeUnusable, JournalError
from studbook.domain.keys import RunKey
from studbook.domain.run import Ending
from studbook.domain.run_events import RunEnded
from studbook.ports.contract.event_log import RUN, metric, step_of
from studbook.ports.event_log import Happening


def open_log(home: Path, *, segment_bytes: int = 2000, fsync: Fsync = Fsync.NEVER) -> JournalEventLog:
    return JournalEventLog(
        home,
        clock=SystemClock(),
        ids=SystemIds(),
        target="memory",
        segment_bytes=segment_bytes,
        fsync=fsync,
    )


def _segments(home: Path) -> list[Path]:
    return sorted((home / "journal").iterdir())


@given(st.lists(st.integers(0, 5), max_size=60), st.integers(1, 3000))
def test_a_segment_ends_with_the_append_that_fills_it(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], limit: int
) -> None:
    home = tmp_path_factory.mktemp("home")
    log = open_log(home, segment_bytes=limit)
    expected: list[int] = []
    for step, size in enumerate(sizes):
        if size:
            log.append(*(metric(step) for _ in range(size)))
        else:
            log.append_metrics(RUN, {"loss": 1.0}, step, 1)
        expected += [step] * max(size, 1)
    read = list(log.read())
    assert [step_of(envelope) for envelope in read] == expected
    assert [envelope.sequence for envelope in read] == list(range(1, len(expected) + 1))
    assert log.damage() == ()
    if not expected:
        return
    segments = _segments(home)
    assert all(segment.stat().st_size >= limit for segment in segments[:-1])
    heads = log.heads()
    assert [head.segment for head in heads] == list(range(1, len(segments) + 1))
    for place in (0, len(expected) // 2, len(expected) - 1):
        assert [e.sequence for e in log.read({log.writer: place})] == list(
            range(place + 1, len(expected) + 1)
        )


def test_a_segment_that_is_full_is_on_the_disk_before_the_next_begins(tmp_path: Path) -> None:
    log = open_log(tmp_path, segment_bytes=1, fsync=Fsync.LIFECYCLE)
    log.append(metric(0))
    writing = log._writing
    assert writing is not None
    first = writing.segment
    assert first is not None
    unsynced = [first.unsynced]
    log.append(metric(1))
    assert [*unsynced, first.unsynced] == [True, False]
    assert writing.segment is not first


def test_syncing_what_is_synced_asks_nothing_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = open_log(tmp_path)
    synced: list[int] = []
    fsync = os.fsync

    def counted(descriptor: int) -> None:
        synced.append(descriptor)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", counted)
    log.sync()
    log.append_metrics(RUN, {"loss": 1.0}, 0, 1)
    for expected in (1, 1):
        log.sync()
        assert len(synced) == expected
    log.append_metrics(RUN, {"loss": 1.0}, 1, 1)
    log.sync()
    assert len(synced) == 2


@pytest.mark.parametrize("folder", ["journal", "."])
def test_a_home_that_is_deleted_under_its_writer_comes_back_whole(tmp_path: Path, folder: str) -> None:
    home = tmp_path / "home"
    log = open_log(home, segment_bytes=10**6)
    log.append(metric(0), metric(0))
    log.append_metrics(RUN, {"loss": 1.0}, 1, 1)
    shutil.rmtree(home / folder)
    log.append_metrics(RUN, {"loss": 1.0}, 2, 1)
    with structlog.testing.capture_logs() as logs:
        log.sync()
    assert [entry["log_level"] for entry in logs] == ["error"]
    log.append(metric(3))
    log.sync()
    assert [step_of(envelope) for envelope in log.read()] == [0, 0, 1, 2, 3]
    assert log.damage() == ()
    assert len(_segments(home)) == 1


def test_a_lifecycle_event_brings_a_deleted_segment_back(tmp_path: Path) -> None:
    log = open_log(tmp_path, segment_bytes=10**6, fsync=Fsync.LIFECYCLE)
    log.append(metric(0))
    shutil.rmtree(tmp_path / "journal")
    log.append(Happening(RunEnded(ending=Ending.finished()), RUN, 1))
    assert [envelope.sequence for envelope in log.read()] == [1, 2]


def test_a_deleted_home_that_cannot_be_made_again_is_an_error_until_it_can(tmp_path: Path) -> None:
    home = tmp_path / "home"
    log = open_log(home, segment_bytes=10**6)
    log.append(metric(0))
    shutil.rmtree(home)
    home.write_text("in the way")
    log.append(metric(1))
    with pytest.raises(JournalError):
        log.sync()
    home.unlink()
    log.sync()
    assert [step_of(envelope) for envelope in log.read()] == [0, 1]


def test_a_full_segment_whose_folder_is_in_the_way_is_an_error_until_it_is_not(tmp_path: Path) -> None:
    home = tmp_path / "home"
    log = open_log(home, segment_bytes=1)
    log.append(metric(0))
    (home / "journal").rename(home / "away")
    (home / "journal").write_text("in the way")
    for _ in range(2):
        with pytest.raises(HomeUnusable):
            log.append_metrics(RUN, {"loss": 1.0}, 1, 1)
    (home / "journal").unlink()
    (home / "away").rename(home / "journal")
    log.append_metrics(RUN, {"loss": 1.0}, 2, 1)
    read = list(log.read())
    assert [(envelope.sequence, step_of(envelope)) for envelope in read] == [(1, 0), (2, 2)]


def test_many_events_of_many_runs_cost_the_writer_no_memory(tmp_path: Path) -> None:
    log = open_log(tmp_path, segment_bytes=200_000)
    keys = itertools.cycle([RunKey(f"rk3:{n:064x}") for n in range(3000)])

    def write(count: int) -> None:
        for step in range(count):
            log.append_metrics(next(keys), {"loss": 1.0 / (step + 1)}, step, step)

    write(3000)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        write(20_000)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 500_000
    assert peak - before < 1_000_000
    assert len(_segments(tmp_path)) > 10
