"""What the operating system's errors mean for a journal."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Final

from ...domain.errors import HomeUnusable, JournalError

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def cannot_open(error: OSError, path: Path) -> HomeUnusable | JournalError:
    """The error for a folder or file of the home that could not be opened."""
    if error.errno in _FULL:
        return cannot_write(error, path)
    if isinstance(error, FileExistsError) and error.filename != str(path):
        return JournalError(
            f"{error.filename} exists: two logs were given one writer id",
            cure="let every log draw its own writer id from one source",
            path=str(error.filename),
        )
    return HomeUnusable(
        f"{path} cannot be used: {_reason(error)}",
        cure="choose a writable folder with --home, STUDBOOK_HOME or home: in studbook.yaml",
        path=str(path),
    )


def cannot_write(error: OSError, path: Path) -> JournalError:
    """The error for an append that the disk did not take."""
    cure = (
        "free some space; later events are recorded again"
        if error.errno in _FULL
        else "check the file system; later events are recorded again when it recovers"
    )
    return JournalError(f"{path} took no more events: {_reason(error)}", cure=cure, path=str(path))


def cannot_read(error: OSError, path: Path) -> JournalError:
    """The error for a journal file that could not be read to its end."""
    return JournalError(
        f"{path} cannot be read: {_reason(error)}",
        cure="check the file system and the permissions of the file",
        path=str(path),
    )


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
