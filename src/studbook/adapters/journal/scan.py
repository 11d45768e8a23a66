"""Scans a segment's bytes into whole appends, broken regions and a torn end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, NamedTuple, TypeGuard

from .line import Line, parse

_TAIL: Final = 64 * 1024
_ALONE: Final = (0, 1)


class Group(NamedTuple):
    """All lines of one append."""

    start: int
    end: int
    lines: tuple[Line, ...]

    @property
    def first(self) -> int:
        """The sequence of the first event."""
        return self.lines[0].seq

    @property
    def last(self) -> int:
        """The sequence of the last event."""
        return self.lines[-1].seq


@dataclass(frozen=True, slots=True)
class Broken:
    """Bytes between appends that are no whole append: corrupt lines, with what else their append had."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Torn:
    """An append at the end that was never finished, or is being written."""

    start: int
    end: int


def scan(file: BinaryIO, start: int, size: int) -> Iterator[Group | Broken | Torn]:
    """What lies in the bytes from `start`, where a line begins, up to `size`."""
    offset = group_start = start
    pending: list[Line] = []
    broken: int | None = None
    for raw in _whole_lines(file, start, size):
        if not pending:
            group_start = offset
        line = parse(raw)
        if line is not None and line.group == _ALONE and not pending and broken is None:
            # Nearly every append is one line, behind a whole one.
            offset += len(raw)
            yield Group(group_start, offset, (line,))
            continue
        if not _goes_on(line, pending):
            broken = group_start if broken is None else broken
            pending = []
            group_start = offset
        if _goes_on(line, pending):
            pending.append(line)
        offset += len(raw)
        if pending and pending[-1].closes:
            if broken is not None:
                yield Broken(broken, group_start)
                broken = None
            yield Group(group_start, offset, tuple(pending))
            pending = []
    end = group_start if pending else offset
    if broken is not None:
        yield Broken(broken, end)
    if end < size:
        yield Torn(end, size)


def ends_by(file: BinaryIO, size: int, sequence: int) -> bool:
    """Whether the first `size` bytes end with a whole append, and nothing in them comes after this sequence.

    Looks at the end only, so that a segment which was read before costs nothing. False also when that cannot
    tell.
    """
    start = max(0, size - _TAIL)
    file.seek(start)
    raw = file.read(size - start)
    before = raw.rfind(b"\n", 0, -1) + 1
    line = parse(raw[before:]) if before else None
    return line is not None and line.closes and line.seq <= sequence


def _whole_lines(file: BinaryIO, start: int, size: int) -> Iterator[bytes]:
    file.seek(start)
    left = size - start
    while (raw := file.readline(left)).endswith(b"\n"):
        yield raw
        left -= len(raw)


def _goes_on(line: Line | None, pending: list[Line]) -> TypeGuard[Line]:
    """Whether a sound line is the next of the pending append, or begins one when none is pending."""
    if line is None:
        return False
    return line.follows(pending[-1]) if pending else line.group[0] == 0
