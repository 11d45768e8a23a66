"""Children as processes of this machine, each in a session of its own, so that it can be ended as a whole."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ...domain.errors import ChildProcessFailed
from ...ports.child_processes import Command


class SystemChildProcesses:
    """ChildProcesses over `subprocess`. A Ctrl-C at the terminal reaches the parent alone, which ends its child."""

    def start(self, command: Command, variables: Mapping[str, str], output: Path) -> SystemChildProcess:
        """Start it; standard output and error go to one file, in the order of writing."""
        try:
            with output.open("ab") as words:
                process = subprocess.Popen(
                    command.argv,
                    cwd=command.cwd,
                    env={**os.environ, **variables},
                    stdin=subprocess.DEVNULL,
                    stdout=words,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise ChildProcessFailed(
                f"{command.argv[0]!r:.200} cannot be started: {reason}",
                cure="name a program that this user may run, and a working directory that exists",
            ) from error
        return SystemChildProcess(process)


class SystemChildProcess:
    """A process and its group."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Wait for the process itself."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def terminate(self) -> None:
        """SIGTERM to the group."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to the group, also when only its other members are left."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
