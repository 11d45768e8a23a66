"""Ends the open runs of writers that have died."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ..domain.keys import RunKey
from ..domain.liveness import Liveness
from ..domain.run import EndReason
from ..domain.run_events import RunReaped
from ..domain.stage import Stage
from ..ports.clock import Clock
from ..ports.delivery_ledger import DeliveryLedger, StartedRun
from ..ports.event_log import EventLog, Happening
from ..ports.log import get_logger
from .open_runs import open_runs
from .writer_watch import Doubt, Look, WriterWatch

_LOOK_EVERY_S: Final = 5.0
_RANK: Final = {Stage.FOLD: 0, Stage.TRIAL: 1, Stage.SWEEP: 3}
_OTHER_RANK: Final = 2

_log = get_logger(__name__)


class LeftAlone(StrEnum):
    """Why an open run was not ended."""

    ALIVE = "alive"
    OTHER_PROJECT = "other_project"
    NO_LEASE = Doubt.NO_LEASE
    COPIED_HOME = Doubt.COPIED_HOME
    UNDECIDED = Doubt.UNDECIDED


@dataclass(frozen=True, slots=True)
class LeftRun:
    """An open run that goes on, for all that is known."""

    run: StartedRun
    why: LeftAlone


@dataclass(frozen=True, slots=True)
class ReapReport:
    """The runs that were ended, in that order, and the open ones that were not, by run key."""

    reaped: tuple[StartedRun, ...] = ()
    left: tuple[LeftRun, ...] = ()


class ReapDead:
    """The use case. At most harmless duplicates when several reap at once: the second end of a run is refused."""

    def __init__(
        self,
        log: EventLog,
        ledger: DeliveryLedger,
        watch: WriterWatch,
        clock: Clock,
        project: str,
    ) -> None:
        self._log = log
        self._ledger = ledger
        self._watch = watch
        self._clock = clock
        self._project = project

    def __call__(
        self, *, wait: bool = False, older_than_s: float | None = None, dry_run: bool = False
    ) -> ReapReport:
        """End what dead writers of this home left open in this project, innermost first.

        With `wait`, watches the undecided ones until they are decided: at most the lease's time to live. With
        `older_than_s`, runs whose writer no lease tells of, or one of another home, are ended too, if their last
        event is that old by the clock: for someone who knows that nobody writes them any more. With `dry_run`,
        only says what it would do.
        """
        # A look before the runs: what a writer that is dead by then has written is all there to read.
        look = self._watch.look()
        runs = open_runs(self._log, self._ledger)
        if wait and self._undecided(runs, look):
            look = self._look_until_decided(runs)
            runs = open_runs(self._log, self._ledger)
        report = _judged([(run, self._why_left(run, look, older_than_s)) for run in runs])
        if not dry_run:
            record_ends(self._log, self._clock, report.reaped)
        return report

    def _look_until_decided(self, runs: tuple[StartedRun, ...]) -> Look:
        deadline = self._clock.monotonic_ns() + int(self._watch.ttl_s * 1e9)
        while True:
            look = self._watch.look()
            left_ns = deadline - self._clock.monotonic_ns()
            if left_ns <= 0 or not self._undecided(runs, look):
                return look
            self._clock.sleep(min(_LOOK_EVERY_S, left_ns / 1e9))

    def _undecided(self, runs: tuple[StartedRun, ...], look: Look) -> bool:
        return any(self._why_left(run, look) is LeftAlone.UNDECIDED for run in runs)

    def _why_left(self, run: StartedRun, look: Look, older_than_s: float | None = None) -> LeftAlone | None:
        if run.project != self._project:
            return LeftAlone.OTHER_PROJECT
        if run.writer == self._log.writer or look.of(run.writer) is Liveness.ALIVE:
            return LeftAlone.ALIVE
        doubt = look.doubt(run.writer)
        if doubt is None:
            return None
        idle_s = (self._clock.now_ns() - run.seen_ns) / 1e9
        if doubt is not Doubt.UNDECIDED and older_than_s is not None and idle_s >= older_than_s:
            return None
        return LeftAlone(doubt)


def record_ends(log: EventLog, clock: Clock, runs: tuple[StartedRun, ...]) -> None:
    """Append the ends of these runs as one, in their order."""
    if not runs:
        return
    now = clock.now_ns()
    log.append(*(Happening(_event(run), run.run_key, now) for run in runs))
    for run in runs:
        _log.warning("run reaped", run=run.run_key, stage=str(run.stage), writer=run.writer)


def _judged(judged: list[tuple[StartedRun, LeftAlone | None]]) -> ReapReport:
    left = tuple(LeftRun(run, why) for run, why in judged if why is not None)
    # A run that several began goes on as long as one of them does.
    going_on = {each.run.run_key for each in left}
    ends = sorted((run for run, why in judged if why is None), key=lambda run: run.seen_ns)
    dead = {run.run_key: run for run in ends if run.run_key not in going_on}
    return ReapReport(innermost_first(dead.values()), left)


def _event(run: StartedRun) -> RunReaped:
    return RunReaped(reason=EndReason.LOST, last_event_ns=run.seen_ns, stage=run.stage)


def innermost_first(runs: Iterable[StartedRun]) -> tuple[StartedRun, ...]:
    """Children before parents; among equals folds, trials, others, sweeps."""
    parents = {run.run_key: run.parent for run in runs}

    def order(run: StartedRun) -> tuple[int, int, RunKey]:
        return -_depth(run.run_key, parents), _RANK.get(run.stage, _OTHER_RANK), run.run_key

    return tuple(sorted(runs, key=order))


def _depth(key: RunKey, parents: dict[RunKey, RunKey | None]) -> int:
    """How many of these runs the run lies below."""
    above: set[RunKey] = set()
    parent = parents[key]
    while parent is not None and parent in parents and parent not in above:
        above.add(parent)
        parent = parents[parent]
    return len(above)
