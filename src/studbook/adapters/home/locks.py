"""Locks as files under the home: the operating system frees them when their holder dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...domain.errors import HomeUnusable


class HomeLocks:
    """One lock file a name, in `<home>/locks/`; never deleted, since a deleted lock can be held twice."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "locks"

    @contextmanager
    def hold(self, name: str, timeout_s: float) -> Iterator[bool]:
        """Hold the lock; yields False when it stayed taken for `timeout_s`."""
        from filelock import FileLock, Timeout

        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HomeUnusable(
                f"{self._folder} cannot be made: {error.strerror}",
                cure="choose another place with --home or STUDBOOK_HOME, or mend its permissions",
                path=str(self._folder),
            ) from error
        lock = FileLock(self._folder / f"{name}.lock", thread_local=False, is_singleton=False)
        try:
            lock.acquire(timeout=timeout_s)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()
