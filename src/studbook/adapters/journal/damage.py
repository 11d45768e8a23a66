"""What a journal could not give back, and why."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ...domain.errors import JournalCorrupt


class Fault(StrEnum):
    """What is wrong with a place in a journal.

    CORRUPT bytes are copied to the quarantine and passed over. A GAP (a segment that is not here yet, or is
    gone) and an UNKNOWN format hold their writer: its later events wait, those of other writers do not.
    """

    CORRUPT = "corrupt"
    GAP = "gap"
    UNKNOWN = "unknown"


_CURE = {
    Fault.CORRUPT: "nothing was removed: compare the quarantined copy with a backup of the segment",
    Fault.GAP: "copy the writer's missing segments into the journal folder",
    Fault.UNKNOWN: "read this home with the newer studbook that wrote it",
}


@dataclass(frozen=True, slots=True)
class Damage:
    """One damaged place: `size` bytes of a segment file from `offset`."""

    writer: str
    segment: str
    offset: int
    size: int
    fault: Fault
    detail: str
    quarantined: Path | None = None

    def error(self) -> JournalCorrupt:
        """The damage as an error, for those who cannot go on."""
        return JournalCorrupt(
            f"{self.segment} at byte {self.offset}: {self.detail}",
            cure=_CURE[self.fault],
            writer=self.writer,
            fault=str(self.fault),
        )


def quarantine(home: Path, segment: Path, offset: int, size: int) -> Path:
    """Copy a region of a segment to `<home>/quarantine/`; the same one twice is one file. Raises OSError."""
    folder = home / "quarantine"
    copy = folder / f"{segment.stem}-{offset}.bin"
    if copy.exists() and copy.stat().st_size == size:
        return copy
    folder.mkdir(parents=True, exist_ok=True)
    with segment.open("rb") as file:
        file.seek(offset)
        content = file.read(size)
    draft = copy.with_suffix(f".{os.getpid()}.part")
    draft.write_bytes(content)
    draft.replace(copy)
    return copy
