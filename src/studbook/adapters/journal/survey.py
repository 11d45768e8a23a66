"""Surveys a journal on disk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

from ...ports.event_log import Cursor
from ...ports.journal_survey import DamagedPlace, JournalView, Unread
from .damage import Damage, Fault
from .failures import cannot_open
from .reading import JournalReader, nobody_lives
from .segment import segment_files


class HomeJournalSurvey:
    """A JournalSurvey of `<home>/journal`, whatever target its events are for; `alive` as for its reader."""

    def __init__(self, home: Path, *, alive: Callable[[str], bool] = nobody_lives) -> None:
        self._home = home
        self._alive = alive
        self._folder = home / "journal"

    def targets(self) -> Mapping[str, frozenset[str]]:
        """The targets that the segments' heads name."""
        writers: defaultdict[str, set[str]] = defaultdict(set)
        for head in JournalReader(self._home).heads():
            writers[head.target].add(head.writer)
        return {target: frozenset(found) for target, found in sorted(writers.items())}

    def look(self, after: Cursor) -> JournalView:
        """Read on after the cursor."""
        reader = JournalReader(self._home, alive=self._alive)
        unread: dict[str, Unread] = {}
        for each in reader.read(after):
            known = unread.get(each.writer)
            unread[each.writer] = (
                Unread(1, each.occurred_at_ns)
                if known is None
                else Unread(known.events + 1, min(known.oldest_ns, each.occurred_at_ns))
            )
        try:
            files = segment_files(self._folder)
            quarantined = tuple(sorted((self._home / "quarantine").glob("*.bin")))
        except OSError as error:
            raise cannot_open(error, self._folder) from error
        return JournalView(
            unread=unread,
            segments=len(files),
            size=sum(file.size for file in files),
            torn=reader.torn(),
            damage=tuple(_place(damage) for damage in reader.damage()),
            quarantined=quarantined,
        )


def _place(damage: Damage) -> DamagedPlace:
    return DamagedPlace(
        writer=damage.writer,
        segment=damage.segment,
        offset=damage.offset,
        size=damage.size,
        problem=damage.detail,
        cure=damage.error().cure,
        holds=damage.fault is not Fault.CORRUPT,
        quarantined=damage.quarantined,
    )
