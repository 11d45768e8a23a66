"""Putting a file or folder in place of another: at once where the system can, else in two renames."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def swap_in(new: Path, place: Path, *, aside: Path) -> None:
    """Move `new` to `place`, all on one file system; what was at `place` is removed.

    Between two renames the old files lie at `aside`.
    """
    if not os.path.lexists(place):
        new.rename(place)
    elif _is_plain_file(new) and not _is_folder(place):
        new.replace(place)
    elif _exchange(new, place):
        remove(new)
    else:
        place.rename(aside)
        try:
            new.rename(place)
        except OSError:
            aside.rename(place)
            raise
        remove(aside)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _is_plain_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def remove(path: Path) -> None:
    """Remove a file, link or folder."""
    if _is_folder(path):
        shutil.rmtree(path)
    else:
        path.unlink()


def _exchange(one: Path, other: Path) -> bool:
    """Linux renameat2(2) with RENAME_EXCHANGE; False where the system or the file system has none."""
    if sys.platform != "linux":
        return False
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    result: int = rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    return result == 0
