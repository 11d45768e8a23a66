"""Child processes: started, waited for, and ended together with what they have started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Command:
    """A program with its arguments, the working directory (None: this process's), and a time limit in seconds."""

    argv: tuple[str, ...]
    cwd: Path | None = None
    timeout_s: float | None = None


class ChildProcess(Protocol):
    """One that was started."""

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Its exit code (negative: the signal that ended it), or None when it still runs after the time-out."""
        ...

    def terminate(self) -> None:
        """Ask it and what it has started to end."""
        ...

    def kill(self) -> None:
        """End it and what it has started. When they are gone, nothing happens."""
        ...


class ChildProcesses(Protocol):
    """Starts them. This process's own environment stays as it is."""

    def start(self, command: Command, variables: Mapping[str, str], output: Path) -> ChildProcess:
        """Start the command with this process's environment and `variables`; what it writes goes to `output`.

        Raises ChildProcessFailed when there is nothing to start.
        """
        ...
