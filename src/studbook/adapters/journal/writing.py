"""One writer of one process: its segments, one after the other, and its sequence."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

from ...ports.clock import Clock
from ...ports.log import get_logger
from .failures import cannot_open, cannot_write
from .segment import Head, Segment, sync_folder

SEGMENT_BYTES: Final = 64 * 1024 * 1024

_Tail = tuple[Segment | None, int, int]
"""Where the journal ends: the open segment, the last sequence, and the segment's size with it."""

_InFlight = tuple[int, int]
"""A write that was begun: how many events, in how many bytes."""

_log = get_logger(__name__)


class JournalWriter:
    """Writes appends, opening segments as needed: the next one when a segment has `segment_bytes`. Used by one
    thread at a time.

    An exception of a signal handler (Ctrl-C) can fall between a write and the note that it took place. So
    what is in flight is noted first, and settled by the file's size before the next write.
    """

    def __init__(
        self,
        folder: Path,
        writer: str,
        *,
        clock: Clock,
        target: str,
        project: str,
        fsync: bool,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self.writer = writer
        self._folder = folder
        self._clock = clock
        self._target = target
        self._project = project
        self._fsync = fsync
        self._segment_bytes = segment_bytes
        self._number = 0
        self._tail: _Tail = (None, 0, 0)
        self._in_flight: _InFlight | None = None

    @property
    def segment(self) -> Segment | None:
        """The open segment."""
        return self._tail[0]

    def next_sequence(self) -> int:
        """The sequence that the next event gets."""
        if self._in_flight is not None:
            self._settle(self._in_flight)
        return self._tail[1] + 1

    def write(self, events: int, data: bytes) -> Segment:
        """Append the lines of so many events, all or none. Raises HomeUnusable, JournalError."""
        segment, sequence, size = self._tail
        if segment is None or size >= self._segment_bytes:
            return self._write_anew(events, data)
        self._in_flight = (events, len(data))
        try:
            segment.write(data)
        except OSError as failure:
            if segment.size() != size + len(data):
                _log.warning("journal segment given up", segment=segment.path.name, reason=failure.strerror)
                return self._write_anew(events, data)
        self._tail = (segment, sequence + events, size + len(data))
        self._in_flight = None
        return segment

    def close(self) -> None:
        """Sync the open segment and never write to it again; a torn line stays its last."""
        segment = self._forget()
        if segment is None:
            return
        try:
            if self._fsync:
                segment.sync()
        except OSError as error:
            _log.warning("journal sync failed", segment=segment.path.name, reason=error.strerror)
        with contextlib.suppress(OSError):
            segment.close()

    def _write_anew(self, events: int, data: bytes) -> Segment:
        """Append to a new segment."""
        self.close()
        segment = self._open()
        _, sequence, size = self._tail
        self._in_flight = (events, len(data))
        try:
            segment.write(data)
        except OSError as failure:
            if segment.size() != size + len(data):
                self._forget()
                segment.discard()
                raise cannot_write(failure, segment.path) from failure
        self._tail = (segment, sequence + events, size + len(data))
        self._in_flight = None
        return segment

    def _settle(self, write: _InFlight) -> None:
        segment, sequence, size = self._tail
        events, written = write
        if segment is not None:
            actual = segment.size()
            if actual == size + written:
                self._tail = (segment, sequence + events, actual)
            elif actual != size:
                self.close()
        self._in_flight = None

    def _forget(self) -> Segment | None:
        segment, sequence, _ = self._tail
        self._tail = (None, sequence, 0)
        self._in_flight = None
        return segment

    def _open(self) -> Segment:
        self._number += 1
        head = Head(
            writer=self.writer,
            segment=self._number,
            first=self._tail[1] + 1,
            project=self._project,
            target=self._target,
            opened_at_ns=self._clock.now_ns(),
        )
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            segment = Segment.create(self._folder, head)
        except OSError as error:
            raise cannot_open(error, self._folder) from error
        self._tail = (segment, self._tail[1], segment.size() or 0)
        if self._fsync:
            with contextlib.suppress(OSError):  # not every file system syncs folders
                sync_folder(self._folder)
        return segment
