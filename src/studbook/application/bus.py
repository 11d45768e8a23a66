"""The bus: tells subscribers what happened, and keeps their troubles from the teller."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final

from ..ports.log import get_logger

Handler = Callable[[object], None]

_END: Final = object()

_log = get_logger(__name__)


class Subscription:
    """One subscriber: a bounded queue, the daemon thread that serves it, and what it missed.

    `handled`, `failed` (the handler raised) and `dropped` (it lagged) count messages.
    """

    def __init__(self, handler: Handler, name: str, maxsize: int, ending: threading.Condition) -> None:
        self.name = name
        self.handled = 0
        self.failed = 0
        self.dropped = 0
        self.ended = False
        self._handler = handler
        self._maxsize = maxsize
        self._ending = ending
        self._queue: SimpleQueue[object] = SimpleQueue()
        self._counting = threading.RLock()
        self._told = 0
        self._open = True
        self._thread = threading.Thread(target=self._serve, name=f"studbook-bus-{name}", daemon=True)
        self._thread.start()

    def offer(self, message: object) -> None:
        """Queue the message; when there is no room, drop and count it."""
        if not self._open:
            return
        if self._queue.qsize() < self._maxsize:
            self._queue.put(message)
        else:
            self._drop(1)

    def finish(self) -> None:
        """Take no more messages; those in the queue are still handled."""
        if self._open:
            self._open = False
            self._queue.put(_END)

    def close(self, timeout: float | None = None) -> bool:
        """Finish, and wait (seconds; None: for ever); whether everything queued was handled."""
        self.finish()
        with self._ending:
            self._ending.wait_for(self.done, timeout)
        return self.settle()

    def done(self) -> bool:
        """Whether waiting is over: the thread has ended, or it is the one that asks."""
        return self.ended or threading.current_thread() is self._thread

    def settle(self) -> bool:
        """After finish: drop and count what is still queued; whether that was nothing.

        Asked from its own handler, the subscription goes on to its end by itself.
        """
        if threading.current_thread() is self._thread:
            return False
        left = 0
        with contextlib.suppress(Empty):
            while True:
                left += self._queue.get_nowait() is not _END
        self._queue.put(_END)
        self._drop(left)
        self._tell_drops()
        return self.ended and left == 0

    def _drop(self, count: int) -> None:
        with self._counting:
            self.dropped += count

    def _serve(self) -> None:
        while (message := self._queue.get()) is not _END:
            try:
                self._handler(message)
            except (Exception, SystemExit) as error:  # noqa: BLE001  the boundary between subscriber and teller
                self._tell_failure(error)
            else:
                self.handled += 1
            if self._queue.empty() or self.dropped >= 2 * self._told:
                self._tell_drops()
        with self._ending:
            self.ended = True
            self._ending.notify_all()

    def _tell_failure(self, error: BaseException) -> None:
        self.failed += 1
        if self.failed & (self.failed - 1):
            return  # told at 1, 2, 4, 8, … failures
        with contextlib.suppress(Exception):  # a broken log must not end the subscription
            _log.warning("subscriber failed", subscriber=self.name, failed=self.failed, error=repr(error))

    def _tell_drops(self) -> None:
        dropped = self.dropped
        if dropped > self._told:
            self._told = dropped
            with contextlib.suppress(Exception):
                _log.warning("subscriber lagged", subscriber=self.name, dropped=dropped)


class Bus:
    """Hands every message to every subscriber, each off the publisher's thread."""

    def __init__(self) -> None:
        self._subscribing = threading.Lock()
        self._ending = threading.Condition()
        self._subscriptions: tuple[Subscription, ...] = ()

    def subscribe(self, handler: Handler, *, name: str, maxsize: int = 1024) -> Subscription:
        """Call `handler` with every later message, in order, in a thread of its own.

        At most about `maxsize` messages wait for it; more are dropped and counted.
        """
        if maxsize < 1:
            raise ValueError("a subscription needs room for one message")
        subscription = Subscription(handler, name, maxsize, self._ending)
        with self._subscribing:
            self._subscriptions = (
                *(known for known in self._subscriptions if not known.ended),
                subscription,
            )
        return subscription

    @property
    def has_subscribers(self) -> bool:
        """Whether anybody would be told."""
        return bool(self._subscriptions)

    def publish(self, message: object) -> None:
        """Offer an envelope or a notice to every subscriber. Never blocks, never raises."""
        for subscription in self._subscriptions:
            subscription.offer(message)

    def close(self, timeout: float | None = 5.0) -> bool:
        """End all subscriptions within `timeout` seconds in all (None: wait); whether all was handled."""
        with self._subscribing:
            subscriptions, self._subscriptions = self._subscriptions, ()
        for subscription in subscriptions:
            subscription.finish()
        with self._ending:
            self._ending.wait_for(lambda: all(known.done() for known in subscriptions), timeout)
        settled = [subscription.settle() for subscription in subscriptions]
        return all(settled)
