"""Reads all writers' segments after a cursor, and keeps account of what could not be read."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

from ...domain.events import Envelope
from ...domain.upcasting import CURRENT_SCHEMA, EventSchema
from ...ports.event_log import Cursor
from ...ports.log import get_logger
from .damage import Damage, Fault, quarantine
from .failures import cannot_open, cannot_read
from .line import UnknownFormat, envelope_of
from .scan import Broken, Group, Torn, ends_by, scan
from .segment import Head, SegmentFile, parse_head, segment_files

_MARK_EVERY: Final = 256 * 1024

_log = get_logger(__name__)


def nobody_lives(_writer: str) -> bool:
    """Every writer is taken for dead: a corrupt line is final."""
    return False


class JournalReader:
    """Reads a home's journal. A corrupt line of a writer that `alive` vouches for is waited for, because a
    network file system can show a hole before the bytes. With `target`, only what was recorded for that target;
    nothing of the writers that are `passed_over`.
    """

    def __init__(
        self,
        home: Path,
        *,
        alive: Callable[[str], bool] = nobody_lives,
        target: str | None = None,
        schema: EventSchema = CURRENT_SCHEMA,
        passed_over: Collection[str] = (),
    ) -> None:
        self._schema = schema
        self._passed_over = passed_over
        self._target = target
        self._home = home
        self._folder = home / "journal"
        self._alive = alive
        self._heads: dict[Path, tuple[Head, int]] = {}
        self._marks: dict[Path, dict[int, int]] = {}
        self._corrupt: dict[tuple[str, int], Damage] = {}
        self._held: dict[str, Damage] = {}
        self._told: set[Damage] = set()
        self._torn: dict[Path, int] = {}

    def read(self, after: Cursor) -> Iterator[Envelope]:
        """The events that are there now, after the cursor, by writer and sequence.

        Raises HomeUnusable at once, JournalError while reading, when the operating system refuses.
        """
        return self._events(self._files(), dict(after))

    def damage(self) -> tuple[Damage, ...]:
        """What the reads so far found damaged, by segment and place; each reads from its cursor on only."""
        found = [*self._corrupt.values(), *self._held.values()]
        return tuple(sorted(found, key=lambda damage: (damage.segment, damage.offset)))

    def torn(self) -> int:
        """How many segments ended in an unfinished append when they were last read."""
        return len(self._torn)

    def heads(self) -> tuple[Head, ...]:
        """The heads of all segments that have a sound one, by writer and number."""
        heads = []
        for file in self._files():
            try:
                head = self._head(file)
            except (UnknownFormat, FileNotFoundError):
                continue
            except OSError as error:
                raise cannot_read(error, file.path) from error
            if head is not None:
                heads.append(head[0])
        return tuple(heads)

    def _files(self) -> list[SegmentFile]:
        try:
            return segment_files(self._folder, self._passed_over)
        except OSError as error:
            raise cannot_open(error, self._folder) from error

    def _events(self, files: list[SegmentFile], after: dict[str, int]) -> Iterator[Envelope]:
        for writer, found in groupby(files, key=lambda file: file.writer):
            segments = list(found)
            if self._is_wanted(segments):
                yield from self._of_writer(writer, segments, after.get(writer, 0))

    def _is_wanted(self, segments: list[SegmentFile]) -> bool:
        """A writer records for one target; one whose heads are all unreadable is read, so that it is reported."""
        if self._target is None:
            return True
        for file in segments:
            with contextlib.suppress(UnknownFormat, OSError):
                head = self._head(file)
                if head is not None:
                    return head[0].target == self._target
        return True

    def _of_writer(self, writer: str, segments: list[SegmentFile], after: int) -> Iterator[Envelope]:
        self._held.pop(writer, None)
        place = _Place(after)
        for file, following in zip(segments, [*segments[1:], None], strict=True):
            try:
                limit = self._first(following)
                if limit is None or limit > after + 1:
                    yield from self._of_segment(file, place, limit)
            except UnknownFormat as error:
                self._hold(file, 0, file.size, Fault.UNKNOWN, str(error))
                return
            except FileNotFoundError:
                continue
            except OSError as error:
                raise cannot_read(error, file.path) from error
            if place.held:
                return

    def _of_segment(self, file: SegmentFile, place: _Place, limit: int | None) -> Iterator[Envelope]:
        """The events of one segment up to the sequence `limit`, where the next segment begins."""
        self._torn.pop(file.path, None)
        with file.path.open("rb") as stream:
            if ends_by(stream, file.size, place.last):
                return
            marks = self._marks.setdefault(file.path, {})
            offset = self._start(file, marks, place.last)
            marked = offset
            for part in scan(stream, offset, file.size):
                match part:
                    case Group() if limit is not None and part.first >= limit:
                        return  # a failed append: the next segment gives these sequences to other events
                    case Group():
                        yield from self._of_group(file, part, place)
                        if part.end - marked > _MARK_EVERY:
                            marks[part.last] = marked = part.end
                    case Broken():
                        self._pass_over(file, part, place)
                    case Torn():
                        self._torn[file.path] = part.start
                if place.held:
                    return

    def _of_group(self, file: SegmentFile, group: Group, place: _Place) -> Iterator[Envelope]:
        explained, place.explained = place.explained, False
        if group.last <= place.last:
            return
        if group.first > place.last + 1 and not explained:
            missing = f"the events {place.last + 1} to {group.first - 1} of its writer are missing"
            self._hold(file, group.start, group.end - group.start, Fault.GAP, missing)
            place.held = True
            return
        try:
            envelopes = [
                envelope_of(line, file.writer, self._schema) for line in group.lines if line.seq > place.last
            ]
        except UnknownFormat as error:
            self._hold(file, group.start, group.end - group.start, Fault.UNKNOWN, str(error))
            place.held = True
            return
        place.last = group.last
        yield from envelopes

    def _pass_over(self, file: SegmentFile, broken: Broken, place: _Place) -> None:
        if self._alive(file.writer):
            place.held = True
            return
        place.explained = True
        key = (file.path.name, broken.start)
        size = broken.end - broken.start
        known = self._corrupt.get(key)
        if known is not None and known.size == size:
            return
        try:
            copy = quarantine(self._home, file.path, broken.start, size)
        except OSError as error:
            copy = None
            _log.warning("quarantine failed", segment=file.path.name, reason=error.strerror)
        self._corrupt[key] = Damage(
            file.writer, *key, size, Fault.CORRUPT, "a checksum does not hold", quarantined=copy
        )
        _log.error("journal corrupt", segment=key[0], offset=key[1], size=size, quarantined=str(copy))

    def _hold(self, file: SegmentFile, offset: int, size: int, fault: Fault, detail: str) -> None:
        damage = Damage(file.writer, file.path.name, offset, size, fault, detail)
        self._held[file.writer] = damage
        if damage in self._told:
            return
        self._told.add(damage)
        _log.error("journal held", segment=file.path.name, offset=offset, fault=str(fault), detail=detail)

    def _start(self, file: SegmentFile, marks: dict[int, int], after: int) -> int:
        """Where to begin: behind the head, or at the last mark that leaves no event after the cursor out."""
        head = self._head(file)
        start = head[1] if head is not None else 0
        reached = [place for last, place in list(marks.items()) if last <= after and place <= file.size]
        return max(reached, default=start)

    def _first(self, file: SegmentFile | None) -> int | None:
        """The sequence that a segment begins with, when it can tell."""
        if file is None:
            return None
        with contextlib.suppress(UnknownFormat, FileNotFoundError):
            head = self._head(file)
            return head[0].first if head is not None else None
        return None

    def _head(self, file: SegmentFile) -> tuple[Head, int] | None:
        """The segment's head and its size; None when torn or corrupt. Raises UnknownFormat, OSError."""
        known = self._heads.get(file.path)
        if known is not None:
            return known
        with file.path.open("rb") as stream:
            raw = stream.readline(file.size)
        head = parse_head(raw)
        if head is None:
            return None
        self._heads[file.path] = (head, len(raw))
        return head, len(raw)


class _Place:
    """How far a read of one writer has come, and what it knows of the way."""

    __slots__ = ("explained", "held", "last")

    def __init__(self, last: int) -> None:
        self.last = last
        self.explained = False
        self.held = False
