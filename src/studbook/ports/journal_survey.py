"""What lies in a home's journal, for those who look after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from .event_log import Cursor


@dataclass(frozen=True, slots=True)
class Unread:
    """A writer's events after a cursor: how many, and when the first of them happened (UTC ns)."""

    events: int
    oldest_ns: int


@dataclass(frozen=True, slots=True)
class DamagedPlace:
    """A place that could not be read. With `holds`, its writer's later events wait for it to be mended."""

    writer: str
    segment: str
    offset: int
    size: int
    problem: str
    cure: str
    holds: bool
    quarantined: Path | None = None


@dataclass(frozen=True, slots=True)
class JournalView:
    """One look at a journal. `size` is in bytes; `torn` counts segments that end in an unfinished append.

    `quarantined` are copies of damaged bytes that earlier reads have passed over.
    """

    unread: Mapping[str, Unread] = field(default_factory=dict)
    segments: int = 0
    size: int = 0
    torn: int = 0
    damage: tuple[DamagedPlace, ...] = ()
    quarantined: tuple[Path, ...] = ()


class JournalSurvey(Protocol):
    """Raises HomeUnusable, JournalError. Looking changes nothing in the home, but for copies to the quarantine."""

    def targets(self) -> Mapping[str, frozenset[str]]:
        """By tracking target (its display text), the writers that recorded for it."""
        ...

    def look(self, after: Cursor) -> JournalView:
        """What the journal holds after the cursor. Damage before it is not looked for again."""
        ...
