"""How a home is doing: what waits for delivery, what was refused, who writes, and what is damaged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ..domain.liveness import Liveness
from ..ports.delivery_ledger import DeliveryLedger, Refusal, StartedRun
from ..ports.journal_survey import JournalSurvey, JournalView
from ..ports.leases import Leases
from .undelivered import delivered_to_own
from .writer_watch import Doubt, Look, WriterWatch


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """The deliveries to one target, by its display text. `oldest_ns` is UTC; `problem` is the relay's last one.

    `dismissed` counts refused events that somebody gave up. `lost` are delivered runs whose writers have died, and
    that nobody has ended yet. `taken_over` says that events which were recorded for other targets went there, too.
    """

    target: str
    configured: bool
    pending: int = 0
    oldest_ns: int | None = None
    refusals: tuple[Refusal, ...] = ()
    dismissed: int = 0
    relay_at_work: bool = False
    problem: str | None = None
    lost: tuple[StartedRun, ...] = ()
    taken_over: bool = False

    @property
    def waits(self) -> bool:
        """Whether events wait that nobody will deliver by himself."""
        return self.pending > 0 and (not self.relay_at_work or self.problem is not None)

    @property
    def needs_attention(self) -> bool:
        """Whether somebody must do something for this target."""
        return self.waits or bool(self.refusals) or (bool(self.lost) and not self.relay_at_work)


@dataclass(frozen=True, slots=True)
class WriterStatus:
    """Who holds a lease. `doubt` says why nobody can tell whether it lives."""

    writer: str
    liveness: Liveness
    doubt: Doubt | None
    host: str
    pid: int


@dataclass(frozen=True, slots=True)
class HomeStatus:
    """A home at one moment; the configured target comes first."""

    targets: tuple[TargetStatus, ...]
    writers: tuple[WriterStatus, ...]
    journal: JournalView

    @property
    def configured(self) -> TargetStatus:
        """The target that the settings name."""
        return self.targets[0]

    @property
    def others(self) -> tuple[TargetStatus, ...]:
        """The targets that events were recorded for under other settings."""
        return self.targets[1:]

    @property
    def needs_attention(self) -> bool:
        """Whether somebody must do something. A torn end is what a killed process leaves, and needs nothing."""
        return bool(self.journal.damage) or any(each.needs_attention for each in self.targets)


class ReadStatus:
    """The use case. `target` is the configured one; `ledger_of` gives a target's ledger, if it has one yet."""

    def __init__(
        self,
        survey: JournalSurvey,
        ledger_of: Callable[[str], DeliveryLedger | None],
        leases: Leases,
        watch: WriterWatch,
        target: str,
    ) -> None:
        self._survey = survey
        self._ledger_of = ledger_of
        self._leases = leases
        self._watch = watch
        self._target = target

    def __call__(self) -> HomeStatus:
        """Look once. Raises HomeUnusable, JournalError."""
        look = self._watch.look()
        writers = {self._target: frozenset[str](), **self._survey.targets()}
        ledgers = {target: self._ledger_of(target) for target in writers}
        view = self._survey.look(delivered_to_own(writers, ledgers))
        targets = [self._status(target, ledger, writers, view, look) for target, ledger in ledgers.items()]
        return HomeStatus(
            targets=tuple(sorted(targets, key=lambda each: (not each.configured, each.target))),
            writers=tuple(
                WriterStatus(
                    lease.writer, look.of(lease.writer), look.doubt(lease.writer), lease.space.host, lease.pid
                )
                for lease in self._leases.read()
            ),
            journal=view,
        )

    def _status(
        self,
        target: str,
        ledger: DeliveryLedger | None,
        writers: Mapping[str, frozenset[str]],
        view: JournalView,
        look: Look,
    ) -> TargetStatus:
        unread = [view.unread[writer] for writer in writers[target] if writer in view.unread]
        status = TargetStatus(
            target=target,
            configured=target == self._target,
            pending=sum(each.events for each in unread),
            oldest_ns=min((each.oldest_ns for each in unread), default=None),
        )
        if ledger is None:
            return status
        with ledger.lease(0.0) as free:
            at_work = not free
        others = frozenset[str]().union(*(found for name, found in writers.items() if name != target))
        return replace(
            status,
            refusals=ledger.refusals(),
            dismissed=len(ledger.dismissed()),
            relay_at_work=at_work,
            problem=ledger.problem() if status.pending else None,
            lost=tuple(run for run in ledger.open_runs() if look.of(run.writer) is Liveness.DEAD),
            taken_over=not others.isdisjoint(ledger.cursor()),
        )
