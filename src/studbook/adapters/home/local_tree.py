"""Files on disk as validation sees them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import yaml

from ...domain.tree_view import InvalidReason, refuse


class LocalTree:
    """The tree view of a folder, or of one file; `name` is what that file is called as an artifact.

    Links are not followed. Raises ArtifactInvalid for anything that is neither a file nor a folder.
    """

    def __init__(self, root: Path, name: str | None = None) -> None:
        self._files = {name or root.name: root} if root.is_file() else dict(_files_below(root))

    @property
    def paths(self) -> tuple[str, ...]:
        """POSIX paths below the root, sorted by their UTF-8 bytes."""
        return tuple(sorted(self._files, key=os.fsencode))

    def file(self, path: str) -> Path:
        """Where a file lies."""
        return self._files[path]

    def size(self, path: str) -> int:
        """The size in bytes."""
        return self._files[path].stat().st_size

    def read(self, path: str, start: int = 0, length: int | None = None) -> bytes:
        """Bytes from `start`; fewer than `length` where the file ends."""
        with self._files[path].open("rb") as file:
            file.seek(start)
            return file.read(-1 if length is None else length)

    def yaml(self, path: str) -> object:
        """The file parsed as safe YAML; raises ValueError."""
        try:
            parsed: object = yaml.safe_load(self.read(path).decode())
        except yaml.YAMLError as error:
            raise ValueError("not YAML") from error
        return parsed


def _files_below(folder: Path, prefix: str = "") -> list[tuple[str, Path]]:
    found: list[tuple[str, Path]] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            path = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                found.extend(_files_below(Path(entry.path), f"{path}/"))
            elif stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode):
                found.append((path, Path(entry.path)))
            else:
                refuse(InvalidReason.WRONG_SHAPE, path, "it is neither a file nor a folder")
    return found
