"""What the home tells of deliveries, writers and its journal, as checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

from ..ports.checkup import Check, Finding, ok, problem, warning
from .home_status import HomeStatus, TargetStatus
from .writer_watch import Doubt

_NEEDS = ("home",)


class HomeStatusCheckup:
    """Reads the status once, for all of its checks. `status` may raise HomeUnusable, JournalError."""

    def __init__(self, status: Callable[[], HomeStatus]) -> None:
        self._read = status

    def checks(self) -> tuple[Check, ...]:
        """Deliveries, writers, journal."""
        return (
            Check("delivery", self._delivery, _NEEDS),
            Check("writers", self._writers, _NEEDS),
            Check("journal", self._journal, _NEEDS),
        )

    @cached_property
    def _status(self) -> HomeStatus:
        return self._read()

    def _delivery(self) -> Finding:
        targets = self._status.targets
        told = "; ".join(f"{each.target}: {_told(each)}" for each in targets if _has_news(each))
        if any(each.needs_attention for each in targets):
            return problem(told, "; ".join(_cures(targets)))
        return ok(told or "nothing pending, nothing refused")

    def _writers(self) -> Finding:
        writers = self._status.writers
        copied = [each for each in writers if each.doubt is Doubt.COPIED_HOME]
        if copied:
            return warning(
                f"this home is a copy: {len(copied)} of its writers hold leases of another one",
                "deliver it with `studbook sync`; runs that are still open end there, or by `studbook reap "
                "--older-than`",
            )
        kinds = [str(each.liveness) for each in writers]
        counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))
        return ok(f"writers that hold a lease: {counts or 'none'}")

    def _journal(self) -> Finding:
        journal = self._status.journal
        if journal.damage:
            first = journal.damage[0]
            return problem(
                f"damaged places: {len(journal.damage)}, the first in {first.segment} at byte {first.offset}: "
                f"{first.problem}",
                first.cure,
            )
        return ok(f"no damage in {journal.size:,} bytes")


def _has_news(target: TargetStatus) -> bool:
    return target.pending > 0 or target.needs_attention


def _cures(targets: tuple[TargetStatus, ...]) -> Iterator[str]:
    if any(each.waits for each in targets):
        yield "`studbook sync` delivers what waits, once its backend is well"
    if any(each.refusals for each in targets):
        yield "`studbook status` says why each was refused, and what to do"
    if any(each.lost for each in targets):
        yield "`studbook reap` ends the open runs"


def _told(target: TargetStatus) -> str:
    words = [f"{target.pending} pending"]
    words += [f"{len(target.refusals)} refused"] if target.refusals else []
    words += [f"open runs of programs that died: {len(target.lost)}"] if target.lost else []
    words += [f"the last problem was: {target.problem}"] if target.problem else []
    words += ["a relay is at work"] if target.relay_at_work else []
    return ", ".join(words)
