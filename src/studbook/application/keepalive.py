"""Keeps a book's signs of life: its writer's lease, the journal on disk, and heartbeats of quiet runs."""

from __future__ import annotations

import functools
import os
import threading
import weakref
from collections.abc import Callable
from typing import Final, Protocol

from ..domain.keys import RunKey
from ..domain.liveness import TTL_S
from ..domain.run_events import RunHeartbeat
from ..ports.clock import Clock
from ..ports.event_log import EventLog, Happening
from ..ports.leases import Leases
from ..ports.log import get_logger
from .wake_up import WakeUp

RENEW_EVERY_S: Final = 15.0
HEARTBEAT_AFTER_S: Final = 60.0
_JOIN_S: Final = 5.0
_NS: Final = 1_000_000_000

_log = get_logger(__name__)


class OpenRuns(Protocol):
    """Told of runs by whoever records their events. Nothing here raises."""

    def opened(self, run_key: RunKey) -> None:
        """A run of this process is about to begin. Also: its end could not be recorded."""
        ...

    def touch(self, run_key: RunKey | None) -> None:
        """An event of the run was recorded. On the hot path: this is one store into a dict."""
        ...

    def ended(self, run_key: RunKey) -> None:
        """The run is about to end; no heartbeat follows it."""
        ...


class KeepAlive:
    """One daemon thread, from the first event on, that does file I/O only and never raises into the program.

    It renews the lease every `interval_s` seconds, syncs the log every `fsync_interval_s` (None: never), and
    appends a heartbeat for each open run without other events for `heartbeat_s`. After it stood still for more than
    `ttl_s`, it tells of the runs that others have ended. A forked child is another
    writer with runs of its own, so it begins anew. Close it after the runs have ended, before the log.
    """

    def __init__(
        self,
        log: EventLog,
        leases: Leases,
        clock: Clock,
        *,
        interval_s: float = RENEW_EVERY_S,
        fsync_interval_s: float | None = 1.0,
        heartbeat_s: float = HEARTBEAT_AFTER_S,
        ttl_s: float = TTL_S,
    ) -> None:
        self._log = log
        self._leases = leases
        self._clock = clock
        self._interval_ns = int(interval_s * _NS)
        self._fsync_ns = None if fsync_interval_s is None else int(fsync_interval_s * _NS)
        self._heartbeat_ns = int(heartbeat_s * _NS)
        self._wake_up = WakeUp(log, clock, ttl_s=ttl_s)
        self._closed = False
        self._begin()
        _at_forks().add(self)

    def _begin(self) -> None:
        """Be one that holds no lease, has no thread, and knows of no run."""
        self._changing = threading.Condition()
        self._thread: threading.Thread | None = None
        self._writer: str | None = None
        self._woken = False
        self._failing: set[str] = set()
        self._active_ns: dict[RunKey, int] = {}
        self._touched: dict[RunKey | None, None] = _Unstarted(self._start)
        self._renew_at = self._sync_at = 0

    def opened(self, run_key: RunKey) -> None:
        """Hold the lease, if it is not held yet, and watch the run."""
        self._start()
        with self._changing:
            self._active_ns[run_key] = self._clock.monotonic_ns()
            self._woken = True
            self._changing.notify_all()

    def touch(self, run_key: RunKey | None) -> None:
        """Put off the run's next heartbeat."""
        self._touched[run_key] = None

    def ended(self, run_key: RunKey) -> None:
        """Watch the run no longer."""
        with self._changing:
            self._active_ns.pop(run_key, None)

    def beat(self) -> float:
        """Do what is due now; returns in how many seconds something will be. What fails is logged once."""
        writer = self._writer
        if writer is None:
            return self._interval_ns / _NS
        now = self._clock.monotonic_ns()
        if now >= self._renew_at:
            self._renew_at = now + self._interval_ns
            self._guarded("lease", lambda: self._leases.renew(writer))
            self._guarded("wake-up", self._look_back)
        if self._fsync_ns is not None and now >= self._sync_at:
            self._sync_at = now + self._fsync_ns
            self._guarded("sync", self._log.sync)
        with self._changing:
            self._heartbeats(now)
            return max(0, self._next_at() - self._clock.monotonic_ns()) / _NS

    def close(self) -> None:
        """End the thread, at once, and give the lease back. Closing twice is fine.

        With a run still open the lease stays: it lets others end the run when this process is gone.
        """
        with self._changing:
            self._closed = True
            self._changing.notify_all()
            thread, self._thread = self._thread, None
            writer, self._writer = self._writer, None
        if thread is not None:
            thread.join(_JOIN_S)
        if writer is not None and not self._active_ns:
            self._guarded("release", lambda: self._leases.release(writer))

    def _start(self) -> None:
        with self._changing:
            if self._closed or self._thread is not None:
                return
            self._touched = {}
            self._writer = writer = self._log.writer
            self._guarded("lease", lambda: self._leases.hold(writer))
            self._wake_up.begin()
            now = self._clock.monotonic_ns()
            self._renew_at, self._sync_at = now + self._interval_ns, now + (self._fsync_ns or 0)
            self._guarded("thread", self._start_thread)

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._serve, name="studbook-keepalive", daemon=True)
        thread.start()
        self._thread = thread

    def _serve(self) -> None:
        while True:
            wait_s = self.beat()
            with self._changing:
                self._changing.wait_for(lambda: self._closed or self._woken, wait_s)
                self._woken = False
                if self._closed:
                    return

    def _look_back(self) -> None:
        with self._changing:
            open_runs = frozenset(self._active_ns)
        for run_key in self._wake_up.ended_meanwhile(open_runs):
            self.ended(run_key)
            _log.warning(
                "run was ended by others, who took this program for dead",
                run=str(run_key),
                then="what it logs is still delivered, its end is not",
                cure="repeat the work in a new run if its status matters",
            )

    def _heartbeats(self, now: int) -> None:
        """Under the lock, so that no heartbeat of a run follows its end."""
        touched, self._touched = self._touched, {}
        for run_key, active_ns in self._active_ns.items():
            if run_key in touched:
                self._active_ns[run_key] = now
            elif now - active_ns >= self._heartbeat_ns:
                self._active_ns[run_key] = now
                beat = Happening(RunHeartbeat(), run_key, self._clock.now_ns())
                self._guarded("heartbeat", functools.partial(self._log.append, beat))

    def _next_at(self) -> int:
        due = [self._renew_at]
        if self._active_ns:
            due.append(min(self._active_ns.values()) + self._heartbeat_ns)
            if self._fsync_ns is not None:
                due.append(self._sync_at)
        return min(due)

    def _guarded(self, what: str, action: Callable[[], object]) -> None:
        try:
            action()
        except Exception as error:  # noqa: BLE001  the boundary between this thread and the program
            if what not in self._failing:
                self._failing.add(what)
                _log.warning("keep-alive failed", action=what, error=str(error))
        else:
            self._failing.discard(what)


class _Unstarted(dict[RunKey | None, None]):
    """Stands where the touched runs will be, and starts the thread at the first one: the others pay nothing."""

    def __init__(self, start: Callable[[], None]) -> None:
        super().__init__()
        self._start = start

    def __setitem__(self, run_key: RunKey | None, value: None) -> None:
        self._start()


@functools.cache
def _at_forks() -> weakref.WeakSet[KeepAlive]:
    """Those that begin anew in a forked child: their threads, and whoever held their locks, stayed behind."""
    kept: weakref.WeakSet[KeepAlive] = weakref.WeakSet()

    def begin_anew() -> None:
        for each in kept:
            each._begin()  # noqa: SLF001

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=begin_anew)
    return kept
