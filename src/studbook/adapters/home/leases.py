"""Leases as files of the home: `leases/<writer>.json`, replaced whole at every renewal."""

from __future__ import annotations

import itertools
import os
import re
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from ...domain.errors import HomeUnusable
from ...domain.liveness import Lease, Observer
from ..system.processes import find_process, own_start, pid_space

_WRITER: Final = re.compile(r"[a-z0-9-]{1,64}")


class HomeLeases:
    """Leases below `<home>/leases`. Lock-free, because a lock may be held at the moment of a fork."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "leases"
        self._counters: defaultdict[str, Iterator[int]] = defaultdict(itertools.count)

    def hold(self, writer: str) -> None:
        """Take out the writer's lease for this process."""
        self._write(writer)

    def renew(self, writer: str) -> None:
        """Count on."""
        self._write(writer)

    def release(self, writer: str) -> None:
        """Remove the writer's lease."""
        path = self._path(writer)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise self._unusable(error) from error

    def read(self) -> tuple[Lease, ...]:
        """All leases that can be read, by writer."""
        try:
            paths = sorted(self._folder.iterdir())
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise self._unusable(error) from error
        found = (_read(path) for path in paths if path.suffix == ".json")
        return tuple(lease for lease in found if lease is not None)

    def observer(self) -> Observer:
        """This process, and the folder as it sees it."""
        try:
            inode = self._folder.stat().st_ino
        except FileNotFoundError:
            inode = None
        except OSError as error:
            raise self._unusable(error) from error
        return Observer(pid_space(), inode, find_process)

    def _write(self, writer: str) -> None:
        path = self._path(writer)
        draft = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lease = Lease(
                writer=writer,
                space=pid_space(),
                pid=os.getpid(),
                started=own_start(),
                folder_inode=self._folder.stat().st_ino,
                counter=next(self._counters[writer]),
            )
            try:
                with draft.open("wb") as file:
                    file.write(lease.model_dump_json().encode() + b"\n")
                    file.flush()
                    # Else a power cut can leave an empty file, of which nobody could ever tell who held it.
                    os.fsync(file.fileno())
                draft.replace(path)
            finally:
                draft.unlink(missing_ok=True)
        except OSError as error:
            raise self._unusable(error) from error

    def _path(self, writer: str) -> Path:
        if not _WRITER.fullmatch(writer):
            raise ValueError(f"{writer!r:.100} is no writer's id")
        return self._folder / f"{writer}.json"

    def _unusable(self, error: OSError) -> HomeUnusable:
        return HomeUnusable(
            f"{self._folder} cannot be used: {error.strerror}",
            cure="free space in the home, or give it to this user; --home or STUDBOOK_HOME name another place",
            path=str(self._folder),
        )


def _read(path: Path) -> Lease | None:
    """The lease, or None: it is gone, foreign, or not all there."""
    try:
        lease = Lease.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    return lease if lease.writer == path.stem else None
