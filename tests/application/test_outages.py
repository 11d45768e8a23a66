"""A log that fails: training goes on, events wait, and nothing is said twice."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import structlog

from studbook.application.bus import Bus
from studbook.application.recorder import Recorder
from studbook.domain.errors import EventRefused, HomeUnusable, JournalError, StudbookError
from studbook.domain.events import Envelope
from studbook.domain.keys import RunKey
from studbook.domain.run import Ending
from studbook.domain.run_events import MetricsLogged, RunEnded, RunStarted, TagsSet

from .failing_log import FULL, FailingLog, open_run_on
from .relay_world import FINISHED, World, run_key, started

A = run_key("a")
METRIC = MetricsLogged(metrics={"loss": 1.0})
TAGS = TagsSet(tags={"a": "b"})


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def log(world: World) -> FailingLog:
    return FailingLog(world)


def _kept(log: FailingLog) -> list[Envelope]:
    return [envelope for envelope in log.read() if envelope.writer == log.writer]


@pytest.mark.parametrize("error", [FULL, HomeUnusable("read-only", cure="choose another")])
def test_a_log_that_fails_is_told_of_once_with_its_cure_and_raises_nothing(
    world: World, log: FailingLog, error: StudbookError
) -> None:
    recorder = Recorder(log, world.clock, Bus())
    log.error = error
    with structlog.testing.capture_logs() as logs:
        (returned,) = recorder.record(A, METRIC)
        recorder.record(A, TAGS, METRIC)
        recorder.record_metrics(A, {"loss": 2.0}, 1)
    assert returned.occurred_at_ns == world.clock.now_ns()
    assert recorder.lost == 4
    assert _kept(log) == []
    assert [(entry["problem"], entry["cure"]) for entry in logs] == [(error.problem, error.cure)]


def test_what_waited_goes_before_what_comes_when_the_log_takes_it_again(
    world: World, log: FailingLog
) -> None:
    bus = Bus()
    told: list[object] = []
    bus.subscribe(told.append, name="test")
    recorder = Recorder(log, world.clock, bus)
    times = []
    log.error = FULL
    for event in (started("a"), METRIC, TAGS):
        times.append(world.clock.now_ns())
        recorder.record(A, event)
        world.clock.advance(5)
    log.error = None
    with structlog.testing.capture_logs() as logs:
        recorder.record(A, FINISHED)
        recorder.record(A, TAGS)
    kept = _kept(log)
    assert [envelope.event for envelope in kept] == [started("a"), METRIC, TAGS, FINISHED, TAGS]
    assert [envelope.occurred_at_ns for envelope in kept[:3]] == times
    assert recorder.lost == 0
    assert [(entry["event"], entry["kept"]) for entry in logs] == [("events are recorded again", 3)]
    assert bus.close()
    assert told == kept


def test_metrics_wait_a_second_between_tries_and_other_events_do_not(world: World, log: FailingLog) -> None:
    recorder = Recorder(log, world.clock, Bus())
    log.error = FULL
    for step in range(100):
        recorder.record_metrics(A, {"loss": 1.0}, step)
    assert log.tries == 1
    world.clock.advance(1)
    recorder.record_metrics(A, {"loss": 1.0}, 100)
    assert log.tries == 2
    recorder.record(A, TAGS)
    assert log.tries == 3
    log.error = None
    world.clock.advance(1)
    recorder.record_metrics(A, {"loss": 1.0}, 101)
    steps = [e.event.step for e in _kept(log) if isinstance(e.event, MetricsLogged)]
    assert steps == list(range(102))


def test_a_long_outage_gives_up_metrics_before_anything_else(world: World, log: FailingLog) -> None:
    recorder = Recorder(log, world.clock, Bus())
    log.error = FULL
    for step in range(10_050):
        recorder.record_metrics(A, {"loss": 1.0}, step)
    recorder.record(A, TAGS)
    assert recorder.lost == 10_051
    log.error = None
    recorder.record(A, FINISHED)
    kept = [envelope.event for envelope in _kept(log)]
    assert kept[-2:] == [TAGS, FINISHED]
    assert len(kept) == 10_002
    assert recorder.lost == 50


def test_strict_raises_and_keeps_nothing_back(world: World, log: FailingLog) -> None:
    recorder = Recorder(log, world.clock, Bus(), strict=True)
    log.error = FULL
    with pytest.raises(JournalError):
        recorder.record(A, METRIC)
    with pytest.raises(JournalError):
        recorder.record_metrics(A, {"loss": 1.0}, 0)
    log.error = None
    recorder.record(A, TAGS)
    assert [envelope.event for envelope in _kept(log)] == [TAGS]
    assert recorder.lost == 0


def test_what_is_the_callers_mistake_is_raised_always(world: World, log: FailingLog) -> None:
    recorder = Recorder(log, world.clock, Bus())
    with pytest.raises(EventRefused):
        recorder.record(A, TagsSet(tags={"a": "\ud800"}))
    log.close()
    with pytest.raises(EventRefused):
        recorder.record_metrics(A, {"loss": 1.0}, 0)
    assert recorder.lost == 0


def test_an_event_that_can_never_be_taken_does_not_hold_the_later_ones(world: World, log: FailingLog) -> None:
    recorder = Recorder(log, world.clock, Bus())
    log.error = FULL
    recorder.record(A, TagsSet(tags={"a": "\ud800"}))
    log.error = None
    recorder.record(A, TAGS)
    assert [envelope.event for envelope in _kept(log)] == [TAGS]
    assert recorder.lost == 1


def test_closing_tries_once_more_and_says_what_is_lost(world: World, log: FailingLog) -> None:
    recorder = Recorder(log, world.clock, Bus())
    recorder.close()
    assert log.tries == 0
    log.error = FULL
    recorder.record(A, METRIC)
    with structlog.testing.capture_logs() as logs:
        recorder.close()
    assert [(entry["event"], entry["lost"]) for entry in logs] == [("events are lost", 1)]
    log.error = None
    recorder.close()
    assert [envelope.event for envelope in _kept(log)] == [METRIC]
    assert recorder.lost == 0


def test_threads_lose_nothing_over_an_outage_and_repeat_nothing(world: World, log: FailingLog) -> None:
    recorder = Recorder(log, world.clock, Bus())
    together = threading.Barrier(5)

    def work(worker: int) -> None:
        together.wait(30)
        for n in range(100):
            recorder.record(A, MetricsLogged(metrics={}, step=1000 * worker + n), TAGS)

    with ThreadPoolExecutor(5) as pool:
        working = [pool.submit(work, worker) for worker in range(4)]
        together.wait(30)
        for n in range(200):
            log.error = FULL if n % 2 else None
        log.error = None
        for each in working:
            each.result()
    recorder.record(A, TAGS)
    steps = [e.event.step for e in _kept(log) if isinstance(e.event, MetricsLogged)]
    assert sorted(steps) == sorted(1000 * worker + n for worker in range(4) for n in range(100))
    assert recorder.lost == 0


def test_a_forked_child_does_not_record_what_waits_in_its_parent(world: World, log: FailingLog) -> None:
    recorder = Recorder(log, world.clock, Bus())
    log.error = FULL
    recorder.record(A, METRIC)
    held, go_on = threading.Event(), threading.Event()

    def keep_the_lock() -> None:
        with recorder._backlog.lock:
            held.set()
            go_on.wait(30)

    hold = threading.Thread(target=keep_the_lock)
    hold.start()
    assert held.wait(30)
    child = os.fork()
    if child == 0:
        log.error = None
        recorder.record(A, TAGS)
        sound = recorder.lost == 0 and [e.event for e in _kept(log)] == [TAGS]
        os._exit(0 if sound else 1)
    go_on.set()
    hold.join()
    assert os.waitpid(child, 0)[1] == 0
    assert recorder.lost == 1


def test_a_run_lives_through_an_outage(world: World, log: FailingLog) -> None:
    open_run = open_run_on(world, log)
    log.error = FULL
    with open_run("mine", params={"lr": 1}) as run:
        run.log_metrics({"loss": 1.0}, 1)
        run.set_tags({"note": "x"})
        run.log_params({"depth": 2})
    assert run.ending == Ending.finished()
    assert _kept(log) == []
    log.error = None
    open_run("next")
    kinds = [envelope.event.kind for envelope in _kept(log)]
    assert kinds == [
        "RunStarted",
        "ParamsLogged",
        "MetricsLogged",
        "TagsSet",
        "ParamsLogged",
        "RunEnded",
        "RunStarted",
    ]


def test_a_strict_run_tells_its_user(world: World, log: FailingLog) -> None:
    open_run = open_run_on(world, log, strict=True)
    run = open_run("mine")
    log.error = FULL
    with pytest.raises(JournalError), run:
        run.log_metrics({"loss": 1.0})
    assert run.ending is None


class Watch:
    """Remembers what it was told, and how many events the log held then."""

    def __init__(self, log: FailingLog) -> None:
        self.log = log
        self.told: list[tuple[str, RunKey | None, int]] = []

    def opened(self, run_key: RunKey) -> None:
        self.told.append(("opened", run_key, len(_kept(self.log))))

    def touch(self, run_key: RunKey | None) -> None:
        self.told.append(("touch", run_key, len(_kept(self.log))))

    def ended(self, run_key: RunKey) -> None:
        self.told.append(("ended", run_key, len(_kept(self.log))))


def test_a_run_is_watched_from_before_its_beginning_until_before_its_end(
    world: World, log: FailingLog
) -> None:
    watch = Watch(log)
    recorder = Recorder(log, world.clock, Bus(), open_runs=watch)
    recorder.record(A, started("a"))
    recorder.record_metrics(A, {"loss": 1.0}, 0)
    recorder.record(A, FINISHED)
    recorder.record(None, TAGS)
    assert watch.told == [
        ("opened", A, 0),
        ("touch", A, 1),
        ("touch", A, 2),
        ("ended", A, 2),
        ("touch", A, 3),
        ("touch", None, 4),
    ]


@pytest.mark.parametrize(
    ("event", "told"),
    [(started("a"), ["opened", "ended"]), (FINISHED, ["ended", "opened"]), (METRIC, [])],
    ids=["beginning", "end", "metric"],
)
def test_what_was_not_recorded_changes_nothing_for_the_watch(
    world: World, log: FailingLog, event: RunStarted | RunEnded | MetricsLogged, told: list[str]
) -> None:
    watch = Watch(log)
    recorder = Recorder(log, world.clock, Bus(), open_runs=watch)
    log.error = FULL
    recorder.record(A, event)
    assert [what for what, _, _ in watch.told] == told


def test_metrics_are_told_to_subscribers_as_any_event(world: World, log: FailingLog) -> None:
    bus = Bus()
    recorder = Recorder(log, world.clock, bus)
    recorder.record_metrics(A, {"loss": 1.0}, 1)
    told: list[object] = []
    bus.subscribe(told.append, name="test")
    recorder.record_metrics(A, {"loss": 2.0}, 2)
    assert bus.close()
    kept = _kept(log)
    assert [envelope.event for envelope in kept] == [
        MetricsLogged(metrics={"loss": 1.0}, step=1),
        MetricsLogged(metrics={"loss": 2.0}, step=2),
    ]
    assert told == kept[1:]
