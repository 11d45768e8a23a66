"""Processes of this machine: what a process id means, and which process has it."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from pathlib import Path

from ...domain.liveness import PidSpace, Process

_PROC = Path("/proc")
_STATE, _THREADS, _STARTED = 0, 17, 19
"""Places in /proc/<pid>/stat behind the command's name; proc_pid_stat(5) counts them from 3."""


def pid_space() -> PidSpace:
    """Where this process's id has a meaning. Without Linux's /proc only the host is known.

    The time namespace belongs to it, because /proc counts start times in that of the reader.
    """
    host = platform.node()
    try:
        # Seen through the /proc of another namespace, ids would mean other processes.
        if str((_PROC / "self").readlink()) != str(os.getpid()):
            return PidSpace(host=host)
        boot_id = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        namespaces = [str((_PROC / "self/ns/pid").readlink())]
        with suppress(FileNotFoundError):  # before Linux 5.6
            namespaces.append(str((_PROC / "self/ns/time").readlink()))
    except (OSError, ValueError):
        return PidSpace(host=host)
    return PidSpace(host=host, boot_id=boot_id or None, pid_namespace=" ".join(namespaces))


def own_start() -> int | None:
    """When this process started, in clock ticks since the boot; None without /proc."""
    process = find_process(os.getpid())
    return process.started if process is not None else None


def find_process(pid: int) -> Process | None:
    """The living process of this id, or None. One that has ended but was not waited for lives no more."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        # The command's name stands in parentheses, and may hold spaces and parentheses.
        fields = stat.rpartition(")")[2].split()
        state, threads, started = fields[_STATE], int(fields[_THREADS]), int(fields[_STARTED])
    except (FileNotFoundError, ProcessLookupError):
        return _signalled(pid)
    except (OSError, ValueError, IndexError):
        return Process()
    # A main thread can end before the others do.
    if state in "ZX" and threads <= 1:
        return None
    return Process(started)


def _signalled(pid: int) -> Process | None:
    """Asked by signal, since /proc can hide the processes of other users, or not be there."""
    if os.name != "posix" or pid < 1:
        return Process()
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return None
    except OSError:
        return Process()
    return Process()
