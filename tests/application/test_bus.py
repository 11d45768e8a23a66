"""The bus keeps subscribers' troubles from the publisher. Handlers meet tests at events: nobody sleeps."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from studbook.application.bus import Bus
from studbook.application.notices import FilesProgress, Step, SweepProgress

PATIENCE = 30.0


class Gate:
    """A handler that stays inside until the gate is opened."""

    def __init__(self) -> None:
        self.seen: list[object] = []
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self, message: object) -> None:
        self.entered.set()
        assert self.opened.wait(PATIENCE)
        self.seen.append(message)


@contextmanager
def open_bus() -> Iterator[Bus]:
    bus = Bus()
    try:
        yield bus
    finally:
        bus.close(PATIENCE)


def test_every_subscriber_gets_every_message_in_order() -> None:
    seen: tuple[list[object], list[object]] = ([], [])
    messages = [Step("train"), SweepProgress("s", "f", 1, 2), FilesProgress("x", 0, 1, 0, 9), 7, None]
    with open_bus() as bus:
        for number, received in enumerate(seen):
            bus.subscribe(received.append, name=f"list-{number}")
        for message in messages:
            bus.publish(message)
        assert bus.close(PATIENCE) is True
    assert seen == (messages, messages)


@given(st.lists(st.integers(), max_size=50), st.integers(min_value=1, max_value=60))
def test_what_a_blocked_subscriber_has_no_room_for_is_counted(messages: list[int], room: int) -> None:
    gate = Gate()
    with open_bus() as bus:
        subscription = bus.subscribe(gate, name="gate", maxsize=room)
        bus.publish("first")
        assert gate.entered.wait(PATIENCE)
        for message in messages:
            bus.publish(message)
        gate.opened.set()
        assert bus.close(PATIENCE) is True
    assert gate.seen == ["first", *messages[:room]]
    assert subscription.handled == len(gate.seen)
    assert subscription.dropped == max(0, len(messages) - room)


def test_handlers_run_off_the_publishers_thread_and_die_with_the_process() -> None:
    threads: list[threading.Thread] = []
    with open_bus() as bus:
        bus.subscribe(lambda _: threads.append(threading.current_thread()), name="who")
        bus.publish(Step("a"))
        bus.publish(Step("b"))
        assert bus.close(PATIENCE)
    assert len(threads) == 2
    assert threads[0] is threads[1] is not threading.current_thread()
    assert threads[0].daemon


@pytest.mark.parametrize("error", [RuntimeError("boom"), SystemExit(3)])
def test_a_subscriber_that_raises_goes_on_and_hurts_nobody(error: BaseException) -> None:
    seen: list[object] = []

    def failing(message: object) -> None:
        seen.append(message)
        raise error

    other: list[object] = []
    with structlog.testing.capture_logs() as logs, open_bus() as bus:
        subscription = bus.subscribe(failing, name="failing")
        bus.subscribe(other.append, name="other")
        for number in range(5):
            bus.publish(number)
        assert bus.close(PATIENCE) is True
    assert seen == other == [0, 1, 2, 3, 4]
    assert (subscription.failed, subscription.handled, subscription.dropped) == (5, 0, 0)
    assert [entry["failed"] for entry in logs] == [1, 2, 4]
    assert {entry["subscriber"] for entry in logs} == {"failing"}


def test_a_blocked_subscriber_does_not_keep_messages_from_the_others() -> None:
    gate, arrived = Gate(), threading.Event()
    with open_bus() as bus:
        bus.subscribe(gate, name="gate", maxsize=1)
        bus.subscribe(lambda message: arrived.set() if message == "last" else None, name="other")
        for number in range(20):
            bus.publish(number)
        bus.publish("last")
        assert arrived.wait(PATIENCE)
        gate.opened.set()


def test_dropped_messages_are_logged() -> None:
    gate = Gate()
    with structlog.testing.capture_logs() as logs, open_bus() as bus:
        bus.subscribe(gate, name="gate", maxsize=1)
        bus.publish(0)
        assert gate.entered.wait(PATIENCE)
        for number in range(4):
            bus.publish(number)
        gate.opened.set()
        assert bus.close(PATIENCE)
    assert logs[-1]["dropped"] == 3
    assert (logs[-1]["subscriber"], logs[-1]["log_level"]) == ("gate", "warning")


def test_closing_gives_up_on_a_subscriber_that_never_returns() -> None:
    gate, seen = Gate(), list[object]()
    with structlog.testing.capture_logs() as logs, open_bus() as bus:
        stuck = bus.subscribe(gate, name="gate")
        bus.subscribe(seen.append, name="fine")
        for number in range(3):
            bus.publish(number)
        assert gate.entered.wait(PATIENCE)
        assert bus.close(0.01) is False
        assert seen == [0, 1, 2]
        assert stuck.dropped == 2
        assert [(entry["subscriber"], entry["dropped"]) for entry in logs] == [("gate", 2)]
        gate.opened.set()
        stuck.close(PATIENCE)
    assert stuck.ended
    assert gate.seen == [0]


def test_a_closed_bus_takes_messages_for_nobody() -> None:
    seen: list[object] = []
    bus = Bus()
    subscription = bus.subscribe(seen.append, name="list")
    bus.publish(1)
    assert bus.close(PATIENCE) is True
    assert bus.close(PATIENCE) is True
    bus.publish(2)
    subscription.offer(3)
    assert seen == [1]
    assert subscription.dropped == 0


def test_one_subscription_can_be_closed_alone() -> None:
    one: list[object] = []
    other: list[object] = []
    with open_bus() as bus:
        subscription = bus.subscribe(one.append, name="one")
        bus.subscribe(other.append, name="other")
        bus.publish(1)
        assert subscription.close(PATIENCE) is True
        bus.publish(2)
        assert bus.close(PATIENCE) is True
    assert (one, other) == ([1], [1, 2])


def test_a_handler_may_publish_and_close() -> None:
    seen: list[object] = []
    answers: list[bool] = []
    bus = Bus()

    def handler(message: object) -> None:
        seen.append(message)
        if message == 1:
            bus.publish(2)
            answers.append(bus.close(PATIENCE))

    subscription = bus.subscribe(handler, name="handler")
    bus.publish(1)
    with subscription._ending:
        assert subscription._ending.wait_for(lambda: subscription.ended, PATIENCE)
    assert seen == [1, 2]
    assert answers == [False]


def test_many_threads_may_publish_at_once() -> None:
    seen: list[tuple[int, int]] = []
    together = threading.Barrier(4)

    def receive(message: object) -> None:
        assert isinstance(message, tuple)
        seen.append(message)

    def publish(bus: Bus, thread: int) -> None:
        together.wait(PATIENCE)
        for number in range(200):
            bus.publish((thread, number))

    with open_bus() as bus:
        bus.subscribe(receive, name="all", maxsize=10_000)
        threads = [threading.Thread(target=publish, args=(bus, thread)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert bus.close(PATIENCE)
    assert len(seen) == 800
    assert all([n for t, n in seen if t == thread] == list(range(200)) for thread in range(4))


def test_a_subscription_needs_room() -> None:
    with open_bus() as bus, pytest.raises(ValueError, match="room"):
        bus.subscribe(print, name="none", maxsize=0)
