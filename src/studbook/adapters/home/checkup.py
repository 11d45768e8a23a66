"""The home as a folder: is it there, can it be written, is there room."""

from __future__ import annotations

import os
from pathlib import Path

from ...ports.checkup import Check, Finding, ok, problem, warning
from ..system.file_system import file_system_of, free_bytes, is_writable

_LITTLE_BYTES = 1_000_000_000
_TOO_LITTLE_BYTES = 50_000_000


class HomeCheckup:
    """Looks at a home that need not exist."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def checks(self) -> tuple[Check, ...]:
        """The folder, and the room that is left."""
        return (Check("home", self._place), Check("space", self._space))

    def _place(self) -> Finding:
        home = self._home
        if not is_writable(home):
            return _locked(home)
        if not home.exists():
            return ok(f"{home} is not there yet; it can be made")
        if not home.is_dir():
            return problem(f"{home} is a file", "move it away, or name another home: --home or STUDBOOK_HOME")
        if not os.access(home, os.R_OK):
            return _locked(home)
        for folder in home.iterdir():
            if folder.is_dir() and not is_writable(folder):
                return _locked(folder)
        kind = file_system_of(home)
        return ok(f"{home} can be written{f', on {kind}' if kind else ''}")

    def _space(self) -> Finding:
        free = free_bytes(self._home)
        found = f"{free / 1e9:.1f} GB free where the home is"
        if free >= _LITTLE_BYTES:
            return ok(found)
        cure = f"free space on the disk of {self._home}, or name another home"
        return warning(found, cure) if free >= _TOO_LITTLE_BYTES else problem(found, cure)


def _locked(folder: Path) -> Finding:
    return problem(
        f"{folder} cannot be read and written by this user",
        "give it to this user, or name another home: --home or STUDBOOK_HOME",
    )
