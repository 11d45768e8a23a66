"""Copying and hashing files: one pass over the bytes, durable when it returns."""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

CHUNK = 1 << 20
"""Bytes read at a time."""

_FICLONE = 0x40049409
"""The Linux ioctl that shares a file's blocks (linux/fs.h)."""


@dataclass(frozen=True, slots=True)
class CopiedFile:
    """What was written: bytes and SHA-256."""

    size: int
    sha256: str


def copy_hashed(source: BinaryIO, target: Path, *, fsync: bool = True) -> CopiedFile:
    """Copy an open file to `target`, which must not exist, sharing blocks where the file system can."""
    with target.open("xb") as out:
        if _share_blocks(source, out):
            with target.open("rb") as copy:
                result = _hashed(copy, None)
        else:
            result = _hashed(source, out)
        out.flush()
        if fsync:
            os.fsync(out.fileno())
    return result


def hash_file(path: Path) -> CopiedFile:
    """Size and SHA-256 of the bytes that the file has now."""
    with path.open("rb") as file:
        return _hashed(file, None)


def sync_file(path: Path) -> None:
    """Make the file's bytes survive a power cut."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Make the folder's entries survive a power cut, where the system can."""
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _hashed(source: BinaryIO, out: BinaryIO | None) -> CopiedFile:
    digest = hashlib.sha256()
    size = 0
    while chunk := source.read(CHUNK):
        digest.update(chunk)
        size += len(chunk)
        if out is not None:
            out.write(chunk)
    return CopiedFile(size, digest.hexdigest())


def _share_blocks(source: BinaryIO, out: BinaryIO) -> bool:
    if sys.platform != "linux":
        return False
    import fcntl

    try:
        fcntl.ioctl(out.fileno(), _FICLONE, source.fileno())
    except OSError:
        return False
    return True
