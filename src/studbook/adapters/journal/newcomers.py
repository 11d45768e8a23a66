"""Follows the writers that begin after a moment: an account of what a child process has recorded so far."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...domain.events import Envelope
from .failures import cannot_open
from .reading import JournalReader
from .segment import segment_files


class JournalNewcomers:
    """Newcomers over `<home>/journal`, for one target. Segments that are there already are never opened."""

    def __init__(self, home: Path, *, target: str, alive: Callable[[str], bool]) -> None:
        folder = home / "journal"
        try:
            known = frozenset(file.writer for file in segment_files(folder))
        except OSError as error:
            raise cannot_open(error, folder) from error
        self._reader = JournalReader(home, alive=alive, target=target, passed_over=known)
        self._cursor: dict[str, int] = {}

    def read(self) -> tuple[Envelope, ...]:
        """Their events since the last call. Raises HomeUnusable, JournalError."""
        found = tuple(self._reader.read(self._cursor))
        self._cursor |= {each.writer: each.sequence for each in found}
        return found
