"""What lies at a place that is to be stored: files with their stamps, links resolved, patterns applied."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from ...domain.errors import SourceChanged
from ...domain.tree_view import InvalidReason, refuse


@dataclass(frozen=True, slots=True)
class FileStamp:
    """A file, and what tells whether it has changed. Times are nanoseconds."""

    file: Path
    device: int
    inode: int
    size: int
    mtime_ns: int
    executable: bool

    @classmethod
    def of(cls, file: Path, status: os.stat_result) -> FileStamp:
        """The stamp of a file with this status."""
        return cls(
            file=file,
            device=status.st_dev,
            inode=status.st_ino,
            size=status.st_size,
            mtime_ns=status.st_mtime_ns,
            executable=bool(status.st_mode & stat.S_IXUSR),
        )


@dataclass(frozen=True, slots=True)
class SourceScan:
    """A source as it was at one moment; `files` by POSIX path, sorted by UTF-8 bytes."""

    is_file: bool
    files: dict[str, FileStamp] = field(default_factory=dict)
    excluded: tuple[str, ...] = ()


def scan_source(source: Path, exclude: Sequence[str]) -> SourceScan:
    """Look at a file or folder; `source` itself may be a link.

    Raises ArtifactInvalid, and SourceChanged when something vanishes or cannot be looked at.
    """
    try:
        return _scan(source, exclude)
    except OSError as error:
        raise SourceChanged(
            f"{source} cannot be read whole: {error.strerror}",
            cure="store a finished copy that this user may read",
            path=str(source),
        ) from error


def _scan(source: Path, exclude: Sequence[str]) -> SourceScan:
    try:
        root = source.resolve(strict=True)
    except (OSError, RuntimeError):
        refuse(InvalidReason.EMPTY, source.name, "there is nothing at this path")
    status = root.stat()
    if stat.S_ISREG(status.st_mode):
        return SourceScan(is_file=True, files={source.absolute().name: FileStamp.of(root, status)})
    if not stat.S_ISDIR(status.st_mode):
        refuse(InvalidReason.WRONG_SHAPE, source.name, "it is neither a file nor a folder")
    walk = _Walk(root, exclude)
    walk.folder(root, "", (root,))
    if not walk.files:
        refuse(InvalidReason.EMPTY, "", f"there is no file in {source.name}")
    files = dict(sorted(walk.files.items(), key=lambda item: os.fsencode(item[0])))
    return SourceScan(is_file=False, files=files, excluded=tuple(sorted(walk.excluded)))


class _Walk:
    def __init__(self, root: Path, exclude: Sequence[str]) -> None:
        self._root = root
        self._exclude = exclude
        self.files: dict[str, FileStamp] = {}
        self.excluded: list[str] = []

    def folder(self, folder: Path, prefix: str, above: tuple[Path, ...]) -> None:
        with os.scandir(folder) as entries:
            for entry in entries:
                path = prefix + entry.name
                if any(fnmatchcase(entry.name, pattern) for pattern in self._exclude):
                    self.excluded.append(path)
                    continue
                place = self._target(entry, path)
                status = place.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    self.files[path] = FileStamp.of(place, status)
                elif stat.S_ISDIR(status.st_mode):
                    if place in above:
                        refuse(InvalidReason.LINK_ESCAPES, path, "the link leads in a circle")
                    self.folder(place, f"{path}/", (*above, place))
                else:
                    refuse(InvalidReason.WRONG_SHAPE, path, "it is neither a file nor a folder")

    def _target(self, entry: os.DirEntry[str], path: str) -> Path:
        if not entry.is_symlink():
            return Path(entry.path)
        try:
            target = Path(entry.path).resolve(strict=True)
        except (OSError, RuntimeError):
            refuse(InvalidReason.LINK_ESCAPES, path, "the link leads nowhere")
        if not target.is_relative_to(self._root):
            refuse(InvalidReason.LINK_ESCAPES, path, "the link leads out of the folder")
        return target
