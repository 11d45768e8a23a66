"""Destinations: where acquired files are put, whole or not at all."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from ..domain.acquisition import Receipt
from ..domain.manifest import ArtifactManifest
from ..domain.tree_view import TreeView


class Occupancy(StrEnum):
    """What lies at a destination. OURS: a leftover or an older delivery, free to be replaced."""

    ABSENT = "absent"
    SAME = "same"
    SAME_UNREAD = "same_unread"
    OURS = "ours"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the receipt file of a destination says."""

    manifest: ArtifactManifest
    receipt: Receipt


class DeliveryFolder(Protocol):
    """Works on one destination at a time. Raises OSError's children for what the file system refuses."""

    def hold(self, destination: Path, timeout_s: float) -> AbstractContextManager[None]:
        """Keep other acquisitions away from the destination, and undo what a crash left half done.

        Raises AcquireBusy when another one holds it for the whole time.
        """
        ...

    def delivered(self, destination: Path) -> Delivery | None:
        """The destination's receipt file, if it has one."""
        ...

    def occupancy(self, destination: Path, manifest: ArtifactManifest) -> Occupancy:
        """Whether the destination holds the manifest's files, and no others.

        SAME_UNREAD: device, inode, size and time of every file are the receipt file's; nothing was read.
        SAME: every digest was computed anew.
        """
        ...

    def stage(self, destination: Path, size: int) -> AbstractContextManager[Path]:
        """A free path beside the destination, for `size` bytes; what is left there is removed at the end.

        Raises NoSpace.
        """
        ...

    def view(self, path: Path, manifest: ArtifactManifest) -> TreeView:
        """The artifact's files at a path, for validation."""
        ...

    def publish(self, staged: Path, destination: Path, manifest: ArtifactManifest) -> None:
        """Move staged files to the destination, durably and at once; what was there is replaced whole.

        Raises IntegrityError when the staged files are not the manifest's, by names and sizes.
        """
        ...

    def record(self, destination: Path, manifest: ArtifactManifest, receipt: Receipt) -> None:
        """Write the receipt file, with what tells whether the files change."""
        ...
