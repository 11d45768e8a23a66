"""Pins as folders of the home: `pins/<id>/`, renamed into place when whole."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from ...domain.artifact_names import check_paths
from ...domain.errors import HomeUnusable, SourceChanged
from ...domain.manifest import ManifestFile
from ...domain.tree_view import TreeView
from ...ports.ids import Ids
from ...ports.pins import PinnedTree
from ..file_copy import copy_hashed, sync_folder
from .local_tree import LocalTree
from .source_scan import FileStamp, SourceScan, scan_source

_PIN = re.compile(r"pins/[0-9a-zA-Z-]+(/[^/]+)*")


class HomePins:
    """Pins below `<home>/pins`. Safe from several threads and processes, since every pin has its own id."""

    def __init__(self, home: Path, ids: Ids) -> None:
        self._home = home
        self._ids = ids

    def pin(self, source: Path, *, exclude: Iterable[str] = ()) -> PinnedTree:
        """See `ports.pins.Pins.pin`."""
        patterns = tuple(exclude)
        scan = scan_source(source, patterns)
        if not scan.is_file:
            check_paths(scan.files)
        pin_id = self._ids.nonce()
        partial = self._home / "pins" / f".partial-{pin_id}"
        try:
            partial.mkdir(parents=True)
            try:
                files = tuple(_copy(path, file, partial) for path, file in scan.files.items())
                _unchanged(source, scan, scan_source(source, patterns))
                _sync_folders(partial)
                partial.rename(self._home / "pins" / pin_id)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
            sync_folder(self._home / "pins")
        except OSError as error:
            raise HomeUnusable(
                f"the files of {source} cannot be kept in {self._home}: {error.strerror}",
                cure="free space in the home, or give it to this user",
            ) from error
        pin = f"pins/{pin_id}"
        return PinnedTree(
            pin=f"{pin}/{files[0].path}" if scan.is_file else pin,
            is_file=scan.is_file,
            files=files,
            excluded=scan.excluded,
        )

    def path(self, pin: str) -> Path:
        """Where the pinned bytes lie."""
        if not _PIN.fullmatch(pin) or ".." in PurePosixPath(pin).parts:
            raise HomeUnusable(f"{pin[:80]!r} is no pin", cure="the event that names it is not of this home")
        return self._home / pin

    def view(self, pin: str) -> TreeView:
        """The pinned files."""
        return LocalTree(self.path(pin))

    def release(self, pin: str) -> None:
        """Remove the pin's whole folder."""
        self.path(pin)
        folder = self._home.joinpath(*PurePosixPath(pin).parts[:2])
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            return
        except OSError as error:
            raise HomeUnusable(
                f"{folder} cannot be removed: {error.strerror}", cure="give the home to this user"
            ) from error


class LentPins(HomePins):
    """Pins that stay when they are released: their bytes still wait for the delivery that they were kept for."""

    def release(self, pin: str) -> None:
        """Check that it is a pin, and keep it."""
        self.path(pin)


def _copy(path: str, stamp: FileStamp, root: Path) -> ManifestFile:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source = stamp.file.open("rb")
    except OSError as error:
        raise _changed(path) from error
    with source:
        copied = copy_hashed(source, target)
        if FileStamp.of(stamp.file, os.fstat(source.fileno())) != stamp or copied.size != stamp.size:
            raise _changed(path)
    return ManifestFile(path=path, size=copied.size, sha256=copied.sha256, exec=stamp.executable)


def _unchanged(source: Path, before: SourceScan, after: SourceScan) -> None:
    if before == after:
        return
    paths = sorted(before.files.keys() | after.files.keys())
    changed = next((p for p in paths if before.files.get(p) != after.files.get(p)), source.name)
    raise _changed(changed)


def _changed(path: str) -> SourceChanged:
    return SourceChanged(
        f"{path} changed while it was read",
        cure="store a finished copy: close or move the file first",
        path=path,
    )


def _sync_folders(root: Path) -> None:
    for folder, _, _ in os.walk(root):
        sync_folder(Path(folder))
