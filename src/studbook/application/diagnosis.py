"""How everything that a book needs is doing: one row a check, each on its own, and none without end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ..domain.errors import StudbookError
from ..domain.redaction import redact
from ..ports.checkup import Check, Checkup, Finding, Outcome, problem
from ..ports.log import get_logger

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Row:
    """A check and what it found; no secrets."""

    check: str
    outcome: Outcome
    found: str
    cure: str | None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All rows, in the order of the checks."""

    rows: tuple[Row, ...]

    @property
    def needs_attention(self) -> bool:
        """Whether somebody must act."""
        return any(row.outcome is Outcome.PROBLEM for row in self.rows)


class Diagnose:
    """The use case: makes the checks of all parts, one after the other.

    A part is made when its turn comes; one that cannot be made is a problem under its name.
    """

    def __init__(self, parts: Iterable[tuple[str, Callable[[], Checkup]]]) -> None:
        self._parts = tuple(parts)

    def __call__(self) -> Diagnosis:
        """Look once. Raises nothing: what goes wrong is a row."""
        outcomes: dict[str, Outcome] = {}
        rows = []
        for check in self._checks():
            finding = _not_made(check, outcomes) or _bounded(check)
            outcomes[check.name] = finding.outcome
            cure = None if finding.cure is None else redact(finding.cure)
            rows.append(Row(check.name, finding.outcome, redact(finding.found), cure))
        return Diagnosis(tuple(rows))

    def _checks(self) -> Iterator[Check]:
        for name, part in self._parts:
            try:
                checks = part().checks()
            except StudbookError as error:
                checks = (Check(name, _raising(error)),)
            yield from checks


def _raising(error: StudbookError) -> Callable[[], Finding]:
    def look() -> Finding:
        raise error

    return look


def _not_made(check: Check, outcomes: dict[str, Outcome]) -> Finding | None:
    broken = [name for name in check.needs if outcomes.get(name) is Outcome.PROBLEM]
    if not broken:
        return None
    return Finding(Outcome.WARNING, f"not looked at, because of the problem with {broken[0]}")


def _bounded(check: Check) -> Finding:
    """What the check found, or that it does not end: then its thread is left to itself."""
    found: list[Finding] = []
    thread = threading.Thread(
        target=lambda: found.append(_looked(check)), name=f"check-{check.name}", daemon=True
    )
    thread.start()
    thread.join(check.timeout_s)
    if found:
        return found[0]
    return problem(
        f"no answer within {check.timeout_s:g} s",
        "find out what it waits for: a network, a mounted disk, or another process that holds a lock",
    )


def _looked(check: Check) -> Finding:
    try:
        return check.look()
    except StudbookError as error:
        return problem(error.problem, error.cure)
    except Exception as error:  # noqa: BLE001 — the boundary: one failing check hides no other
        _log.error("a check failed", check=check.name, exc_info=error)
        return problem(f"unexpected {type(error).__name__}: {error}", "see the log for the traceback")
