"""Pins: the bytes of an artifact, kept in the home from the call until they are delivered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..domain.manifest import ManifestFile
from ..domain.tree_view import TreeView


@dataclass(frozen=True, slots=True)
class PinnedTree:
    """What was pinned. `pin` is its place relative to the home (POSIX): a folder, or the one file itself.

    `files` are sorted by path; `excluded` are the files and folders that patterns left out, by path.
    """

    pin: str
    is_file: bool
    files: tuple[ManifestFile, ...]
    excluded: tuple[str, ...] = ()


class Pins(Protocol):
    """Raises HomeUnusable when the home cannot take or give the bytes."""

    def pin(self, source: Path, *, exclude: Iterable[str] = ()) -> PinnedTree:
        """Copy a file or folder into the home and hash it; durable when it returns.

        `exclude` are globs of one path component. A link inside the folder is kept as its content.
        Raises ArtifactInvalid: LINK_ESCAPES for a link that leads out, nowhere, or in a circle; WRONG_SHAPE
        for what is neither a file nor a folder; EMPTY when there is no file at `source`. Raises
        ArtifactNameInvalid, and SourceChanged when a size, time or inode differs before and after.
        """
        ...

    def path(self, pin: str) -> Path:
        """Where the pinned bytes lie. Raises HomeUnusable for text that is no pin of this home."""
        ...

    def view(self, pin: str) -> TreeView:
        """The pinned files, for validation."""
        ...

    def release(self, pin: str) -> None:
        """Remove the bytes. Releasing twice is fine."""
        ...
