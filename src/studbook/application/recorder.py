"""Appends events to the log, tells the bus, and stands between a log that fails and the training."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from ..domain.errors import EventRefused, HomeUnusable, JournalError, StudbookError
from ..domain.events import Envelope, Event
from ..domain.keys import RunKey
from ..domain.run_events import MetricsLogged, RunEnded, RunStarted
from ..ports.clock import Clock
from ..ports.event_log import EventLog, Happening
from ..ports.log import get_logger
from .backlog import Backlog
from .bus import Bus

if TYPE_CHECKING:
    from .keepalive import OpenRuns

_log = get_logger(__name__)


class Recorder:
    """The one way that use cases make something happen.

    When the log cannot keep events, that is logged once, with its cure. The events wait in memory, and go
    before later ones when the log takes them again; what waits or found no room is `lost`. With `strict` the
    error is raised instead: HomeUnusable or JournalError. EventRefused is the caller's error: always raised.
    """

    def __init__(
        self,
        log: EventLog,
        clock: Clock,
        bus: Bus,
        *,
        open_runs: OpenRuns | None = None,
        strict: bool = False,
    ) -> None:
        self._log = log
        self._clock = clock
        self._bus = bus
        self._open_runs = open_runs
        self._strict = strict
        self._backlog = Backlog()

    @property
    def lost(self) -> int:
        """How many events of this process are not in the log: 0 when all is well."""
        return self._backlog_here().lost

    def record(self, run_key: RunKey | None, *events: Event) -> tuple[Envelope | Happening, ...]:
        """Append events of one run, all or none, stamped now; returns when they survive this process.

        Where the log did not take them, they come back without a place in it.
        """
        return self.record_together(*((run_key, event) for event in events))

    def record_together(self, *entries: tuple[RunKey | None, Event]) -> tuple[Envelope | Happening, ...]:
        """Append events of several runs, all or none."""
        now = self._clock.now_ns()
        happenings = tuple(Happening(event, run_key, now) for run_key, event in entries)
        if self._backlog.waiting and not self._caught_up(happenings):
            return happenings
        try:
            return self._append(happenings)
        except (HomeUnusable, JournalError) as error:
            if not self._holds(happenings, error):
                raise
            return happenings

    def record_metrics(self, run_key: RunKey, metrics: dict[str, float], step: int) -> None:
        """As `record` of one MetricsLogged, at a training loop's pace. The metrics' names are checked already."""
        if self._backlog.waiting or self._bus.has_subscribers:
            self.record(run_key, MetricsLogged(metrics=metrics, step=step))
            return
        now = self._clock.now_ns()
        try:
            self._log.append_metrics(run_key, metrics, step, now)
        except (HomeUnusable, JournalError) as error:
            if not self._holds((Happening(MetricsLogged(metrics=metrics, step=step), run_key, now),), error):
                raise
        if self._open_runs is not None:
            self._open_runs.touch(run_key)

    def last_events_ns(self, run_keys: Collection[RunKey]) -> dict[RunKey, int]:
        """When each of these runs' last event happened, as far as this home's log knows. Reads the whole log."""
        found: dict[RunKey, int] = {}
        for envelope in self._log.read():
            key = envelope.run_key
            if key in run_keys and key is not None:
                found[key] = max(envelope.occurred_at_ns, found.get(key, 0))
        return found

    def notify(self, notice: object) -> None:
        """Tell the bus only: progress is not journaled."""
        self._bus.publish(notice)

    def close(self) -> None:
        """Try once more to record what waits; what then is lost is logged. Before the log is closed."""
        self._caught_up(())
        backlog = self._backlog_here()
        if backlog.lost:
            _log.error("events are lost", lost=backlog.lost)

    def _append(self, happenings: Sequence[Happening]) -> tuple[Envelope, ...]:
        if self._open_runs is None:
            envelopes = self._log.append(*happenings)
        else:
            envelopes = self._append_watched(happenings, self._open_runs)
        for envelope in envelopes:
            self._bus.publish(envelope)
        return envelopes

    def _append_watched(self, happenings: Sequence[Happening], open_runs: OpenRuns) -> tuple[Envelope, ...]:
        """The watch over a run begins before its first event, and ends before its last."""
        marks = [
            (one.run_key, isinstance(one.event, RunStarted))
            for one in happenings
            if one.run_key is not None and isinstance(one.event, RunStarted | RunEnded)
        ]
        for key, begins in marks:
            (open_runs.opened if begins else open_runs.ended)(key)
        try:
            envelopes = self._log.append(*happenings)
        except BaseException:
            for key, begins in reversed(marks):
                (open_runs.ended if begins else open_runs.opened)(key)
            raise
        for one in happenings:
            open_runs.touch(one.run_key)
        return envelopes

    def _holds(self, happenings: Sequence[Happening], error: StudbookError) -> bool:
        """Have the events wait, unless this error is for the caller."""
        if self._strict or isinstance(error, EventRefused):
            return False
        backlog = self._backlog_here()
        with backlog.lock:
            if not backlog.waiting:
                _log.error("events are not recorded", problem=error.problem, cure=error.cure)
            backlog.hold(happenings)
            backlog.failed(self._clock.monotonic_ns())
        return True

    def _caught_up(self, happenings: Sequence[Happening]) -> bool:
        """Whether nothing waits any more, so that these may be appended; else they wait, too."""
        backlog = self._backlog_here()
        with backlog.lock:
            now = self._clock.monotonic_ns()
            measured = bool(happenings) and all(isinstance(one.event, MetricsLogged) for one in happenings)
            if backlog.waiting and (backlog.due(now) or not measured):
                self._recover(backlog, now)
            if backlog.waiting:
                backlog.hold(happenings)
            return not backlog.waiting

    def _recover(self, backlog: Backlog, now: int) -> None:
        try:
            kept = len(self._append(backlog.waiting))
        except EventRefused as error:
            backlog.give_up()
            _log.error("events are lost", problem=error.problem, cure=error.cure, lost=backlog.lost)
        except (HomeUnusable, JournalError):
            backlog.failed(now)
        else:
            backlog.clear()
            _log.warning("events are recorded again", kept=kept, lost=backlog.lost)

    def _backlog_here(self) -> Backlog:
        """The backlog of this process: a forked child's copy is its parent's."""
        if self._backlog.foreign:
            self._backlog = Backlog()
        return self._backlog
