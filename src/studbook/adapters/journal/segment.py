"""A segment: one append-only file of one writer, `<home>/journal/<writer>-<nnn>.jsonl`."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import threading
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from .line import UnknownFormat, frame, unframe

FORMAT: Final = "studbook.journal/1"

# Readable, so that the segment can be written again when somebody removes the file.
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
_COPIED: Final = 1024 * 1024
_NAME: Final = re.compile(r"(?P<writer>[a-z0-9-]{1,64})-(?P<number>\d{3,9})\.jsonl")


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of a segment: whose it is, and where its events are to be delivered.

    `first` is the sequence of the segment's first event. `target` is for display: it holds no secrets.
    """

    schema: str = FORMAT
    writer: str
    segment: int
    first: int
    project: str
    target: str
    opened_at_ns: int

    @property
    def file_name(self) -> str:
        """The segment's name within the journal folder."""
        return f"{self.writer}-{self.segment:03d}.jsonl"


_head = msgspec.json.Decoder(Head)


def parse_head(raw: bytes) -> Head | None:
    """The head, or None when the line is torn or corrupt. Raises UnknownFormat."""
    body = unframe(raw)
    if body is None:
        return None
    try:
        head = _head.decode(body)
    except msgspec.DecodeError as error:
        raise UnknownFormat("the first line is no head that this version knows") from error
    if head.schema != FORMAT:
        raise UnknownFormat(f"journal format {head.schema} is not {FORMAT}")
    return head


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """A segment as it was found: its first `size` bytes."""

    path: Path
    writer: str
    number: int
    size: int


def segment_files(folder: Path, without: Collection[str] = ()) -> list[SegmentFile]:
    """All segments, by writer and number, but for those writers. A folder that is not there holds none.

    Raises OSError.
    """
    try:
        paths = list(folder.iterdir())
    except FileNotFoundError:
        return []
    found = [(match, path) for path in paths if (match := _NAME.fullmatch(path.name))]
    numbered = sorted(
        (match["writer"], int(match["number"]), path)
        for match, path in found
        if match["writer"] not in without
    )
    files = []
    # Newest first: once a size is taken, the segments before it are final, and their sizes come later.
    for writer, number, path in reversed(numbered):
        with contextlib.suppress(FileNotFoundError):
            files.append(SegmentFile(path, writer, number, path.stat().st_size))
    return files[::-1]


class Segment:
    """An open segment. Written by one thread at a time; synced by any."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._dirty = False
        self._closing = threading.Lock()
        self._closed = False

    @classmethod
    def create(cls, folder: Path, head: Head) -> Segment:
        """Make the file, which must not exist, with its head line. Raises OSError, leaving no file."""
        path = folder / head.file_name
        segment = cls(path, os.open(path, _FLAGS, 0o666))
        try:
            segment.write(frame(msgspec.json.encode(head)))
        except OSError:
            segment.discard()
            raise
        return segment

    def write(self, data: bytes) -> None:
        """Append in one write. Raises OSError, also when the file took only a part: write no more then."""
        self._dirty = True
        if os.write(self._descriptor, data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))

    def size(self) -> int | None:
        """How many bytes the file holds, or None when that cannot be told."""
        try:
            return os.fstat(self._descriptor).st_size
        except OSError:
            return None

    @property
    def unsynced(self) -> bool:
        """Whether a power cut could still take something back."""
        return self._dirty

    def sync(self) -> None:
        """Make what was written survive a power cut. Raises OSError."""
        with self._closing:
            if self._closed or not self._dirty:
                return
            self._dirty = False
            try:
                os.fsync(self._descriptor)
            except OSError:
                self._dirty = True
                raise

    def removed(self) -> bool:
        """Whether the file was deleted: its bytes live on for as long as this process."""
        with self._closing:
            return not self._closed and os.fstat(self._descriptor).st_nlink == 0

    def restore(self) -> None:
        """Write a removed file again, under its name. For the thread that may write. Raises OSError."""
        with self._closing:
            if self._closed or os.fstat(self._descriptor).st_nlink:
                return
            self.path.parent.mkdir(parents=True, exist_ok=True)
            copy = os.open(self.path, _FLAGS, 0o666)
            try:
                place = 0
                while part := os.pread(self._descriptor, _COPIED, place):
                    place += os.write(copy, part)
                os.dup2(copy, self._descriptor, inheritable=False)
                self._dirty = True
            except OSError:
                with contextlib.suppress(OSError):
                    self.path.unlink()
                raise
            finally:
                os.close(copy)

    def close(self) -> None:
        """Give the file back. Raises OSError. Closing twice is fine."""
        with self._closing:
            if not self._closed:
                self._closed = True
                os.close(self._descriptor)

    def discard(self) -> None:
        """Remove the file: nothing in it was ever acknowledged."""
        with contextlib.suppress(OSError):
            self.close()
        with contextlib.suppress(OSError):
            self.path.unlink()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
