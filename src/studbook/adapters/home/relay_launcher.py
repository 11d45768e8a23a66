"""Starts the relay process beside this one: it outlives its parent, and is told everything over its stdin."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from ...domain.errors import HomeUnusable, JournalError
from ...ports.delivery_ledger import DeliveryLedger
from ...ports.log import get_logger

_log = get_logger(__name__)


class ProcessRelayLauncher:
    """Runs `python -m <module>` in a session of its own, its words going to `<home>/logs/relay.log`.

    `payload` is what the module reads from its stdin: no secret stands on a command line.
    """

    def __init__(self, home: Path, ledger: DeliveryLedger, module: str, payload: Callable[[], bytes]) -> None:
        self._home = home
        self._ledger = ledger
        self._module = module
        self._payload = payload
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()

    def ensure(self) -> None:
        """Start one, unless ours is still there or another one holds the lease."""
        with self._lock:
            if self._owner == os.getpid() and self._process is not None and self._process.poll() is None:
                return
            try:
                with self._ledger.lease(0.0) as free:
                    if not free:
                        return
                self._process = self._start()
                self._owner = os.getpid()
            except (OSError, HomeUnusable, JournalError) as error:
                _log.warning("no relay process could be started", reason=str(error))

    def _start(self) -> subprocess.Popen[bytes]:
        logs = self._home / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        with (logs / "relay.log").open("ab") as words:
            process = subprocess.Popen(
                [sys.executable, "-m", self._module],
                stdin=subprocess.PIPE,
                stdout=words,
                stderr=words,
                start_new_session=True,
                close_fds=True,
            )
        if process.stdin is not None:
            with process.stdin as stream:
                stream.write(self._payload())
        return process
