"""What kind of file system a path lies on, and how much of it is free."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_NETWORK = re.compile(
    r"nfs\d?|cifs|smb\w*|9p|afs|ceph|lustre|gpfs|beegfs\w*|glusterfs|pvfs2|orangefs|davfs2?"
    r"|fuse\.(?:sshfs|glusterfs|ceph|s3fs|gcsfuse|rclone|blobfuse2?|juicefs|lustre\w*|davfs2?)"
)
_ESCAPED = re.compile(r"\\(\d{3})")


def file_system_of(path: Path, mounts: Path = _MOUNTS) -> str | None:
    """The file system's type, as `ext4` or `nfs4`; None where this system does not tell."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    place = Path(os.path.realpath(path))
    found: tuple[int, str] | None = None
    for line in lines:
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if separator and len(fields) > 4:
            point = Path(_ESCAPED.sub(lambda octal: chr(int(octal[1], 8)), fields[4]))
            # Of two mounts at one point the later one covers the earlier.
            if place.is_relative_to(point) and (found is None or len(point.parts) >= found[0]):
                found = len(point.parts), after.split(" ")[0]
    return None if found is None else found[1]


def is_network(file_system: str | None) -> bool:
    """Whether files of this type live on another machine, where locks and memory maps cannot be relied on."""
    return file_system is not None and _NETWORK.fullmatch(file_system) is not None


def existing(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    # Not `Path.exists`, which raises in a folder that may not be entered.
    return next(each for each in (path, *path.absolute().parents) if os.access(each, os.F_OK))


def is_writable(path: Path) -> bool:
    """Whether this process may write to what is there, or make it where it would be."""
    place = existing(path)
    if place == path and not path.is_dir():
        return os.access(path, os.W_OK)
    return place.is_dir() and os.access(place, os.W_OK | os.X_OK)


def free_bytes(path: Path) -> int:
    """What is left on the path's disk for this user."""
    return shutil.disk_usage(existing(path)).free
