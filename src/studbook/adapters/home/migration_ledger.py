"""A migration's ledger as a file of the home: one JSON line a word, appended."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import BinaryIO

from ...domain.errors import HomeUnusable
from ...ports.migration_ledger import Copy


class HomeMigrationLedger:
    """`<home>/migrations/<source id>-to-<destination id>.jsonl`. For one process at a time: hold a lock.

    A line that a killed process left half-written, or that cannot be read, counts as not written.
    """

    def __init__(self, home: Path, source_id: str, destination_id: str) -> None:
        self._path = home / "migrations" / f"{source_id}-to-{destination_id}.jsonl"
        self._file: BinaryIO | None = None
        self._copies: dict[str, Copy] = {}

    def get(self, source_run: str) -> Copy | None:
        """See MigrationLedger."""
        self._opened()
        return self._copies.get(source_run)

    def put(self, source_run: str, copy: Copy) -> None:
        """See MigrationLedger. Raises HomeUnusable when the file takes nothing."""
        file = self._opened()
        if self._copies.get(source_run) == copy:
            return
        line = json.dumps([source_run, copy.run_id, copy.state])
        try:
            file.write(f"{line}\n".encode())
            os.fsync(file.fileno())
        except OSError as error:
            raise self._unusable(error) from error
        self._copies[source_run] = copy

    def close(self) -> None:
        """See MigrationLedger."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _opened(self) -> BinaryIO:
        if self._file is None:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                held = self._path.read_bytes() if self._path.exists() else b""
                self._file = self._path.open("ab", buffering=0)
                if held and not held.endswith(b"\n"):
                    self._file.write(b"\n")
            except OSError as error:
                raise self._unusable(error) from error
            self._copies = {run: copy for line in held.splitlines() for run, copy in _parsed(line)}
        return self._file

    def _unusable(self, error: OSError) -> HomeUnusable:
        return HomeUnusable(
            f"{self._path} cannot be used: {error.strerror}",
            cure="choose another place with --home or STUDBOOK_HOME, or mend its permissions",
            path=str(self._path),
        )


def _parsed(line: bytes) -> list[tuple[str, Copy]]:
    try:
        source_run, run_id, state = json.loads(line)
    except (ValueError, TypeError):
        return []
    return [(str(source_run), Copy(str(run_id), None if state is None else str(state)))]
