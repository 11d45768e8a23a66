"""Leases in memory, of processes that a test makes and ends."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, field

from ...domain.liveness import Lease, Observer, PidSpace, Process

_SPACE = PidSpace(host="host-1", boot_id="boot-1", pid_namespace="pids-1")


@dataclass(slots=True)
class MemoryLeaseFolder:
    """What the leases of one home share. A copy of the home has the same leases, and another inode."""

    inode: int = 1
    leases: dict[str, Lease] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def copied(self, inode: int) -> MemoryLeaseFolder:
        """The folder of a copied home."""
        return MemoryLeaseFolder(inode, dict(self.leases), dict(self.counters))


class MemoryProcesses:
    """The processes that live in one space; their start times count up."""

    def __init__(self, space: PidSpace = _SPACE) -> None:
        self.space = space
        self._starts = itertools.count(1)
        self._living: dict[int, int] = {}

    def start(self, pid: int) -> None:
        """A process begins; the id may have been another's before."""
        self._living[pid] = next(self._starts)

    def kill(self, pid: int) -> None:
        """The process of this id ends."""
        del self._living[pid]

    def find(self, pid: int) -> Process | None:
        """The living process of this id, or None."""
        started = self._living.get(pid)
        return None if started is None else Process(started)


class MemoryLeases:
    """Leases of one process, `pid`, which is started with them. Those of one `folder` read each other's."""

    def __init__(
        self,
        folder: MemoryLeaseFolder | None = None,
        processes: MemoryProcesses | None = None,
        *,
        pid: int = 1,
    ) -> None:
        self._folder = folder if folder is not None else MemoryLeaseFolder()
        self._processes = processes if processes is not None else MemoryProcesses()
        self._pid = pid
        if self._processes.find(pid) is None:
            self._processes.start(pid)
        process = self._processes.find(pid)
        self._started = process.started if process is not None else None

    def hold(self, writer: str) -> None:
        """Take out the writer's lease."""
        folder = self._folder
        with folder.lock:
            folder.counters[writer] = folder.counters.get(writer, 0) + 1
            folder.leases[writer] = Lease(
                writer=writer,
                space=self._processes.space,
                pid=self._pid,
                started=self._started,
                folder_inode=folder.inode,
                counter=folder.counters[writer],
            )

    def renew(self, writer: str) -> None:
        """Count on."""
        self.hold(writer)

    def release(self, writer: str) -> None:
        """Remove the writer's lease."""
        with self._folder.lock:
            self._folder.leases.pop(writer, None)

    def read(self) -> tuple[Lease, ...]:
        """All leases, by writer."""
        with self._folder.lock:
            return tuple(lease for _, lease in sorted(self._folder.leases.items()))

    def observer(self) -> Observer:
        """This process as the one who looks."""
        return Observer(self._processes.space, self._folder.inode, self._processes.find)
