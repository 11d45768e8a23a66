"""Whether a journal's writer still lives: decided from its lease, and never by another machine's clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from .value import Value

TTL_S: Final = 90.0
"""How long a counter must stand still before its writer counts as dead, in seconds."""


class Liveness(StrEnum):
    """UNKNOWN: nothing proves either, so nobody may end the writer's runs by themselves."""

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"


class PidSpace(Value):
    """Where a process id means one process: what is None is not known, and then nothing is the same space."""

    host: str
    boot_id: str | None = None
    pid_namespace: str | None = None

    def is_one_with(self, other: PidSpace) -> bool:
        """Whether a process id means the same process here and there. Containers share host and boot."""
        return None not in (self.boot_id, self.pid_namespace) and self == other


class Lease(Value):
    """What a living writer renews. It holds no time of day.

    `started` is the process's start, in whatever unit its system counts; `folder_inode` is that of the folder
    which the lease was written to, so that a copied home can be told from the one that its writer writes to.
    """

    writer: str
    space: PidSpace
    pid: int
    started: int | None = None
    folder_inode: int
    counter: int


@dataclass(frozen=True, slots=True)
class Process:
    """A process that lives. `started` is None where the system does not tell."""

    started: int | None = None


@dataclass(frozen=True, slots=True)
class Observer:
    """Who looks: the same facts of this process's surroundings, and which process has an id (None: nobody)."""

    space: PidSpace
    folder_inode: int | None
    process_of: Callable[[int], Process | None]


@dataclass(frozen=True, slots=True)
class Sighting:
    """A counter as it was seen: since when it has this value, and when last, by the observer's monotonic clock.

    `moved` says that it was seen to change.
    """

    counter: int
    since_ns: int
    seen_ns: int
    moved: bool = False

    def then(self, counter: int, at_ns: int) -> Sighting:
        """The sighting after a further look."""
        if counter != self.counter:
            return Sighting(counter, at_ns, at_ns, moved=True)
        return Sighting(counter, self.since_ns, max(at_ns, self.seen_ns), self.moved)

    @property
    def unchanged_ns(self) -> int:
        """For how long the counter was watched standing still."""
        return self.seen_ns - self.since_ns


@dataclass(frozen=True, slots=True)
class Sightings:
    """What one observer has seen so far, by writer."""

    of: Mapping[str, Sighting] = field(default_factory=dict)

    def then(self, leases: Iterable[Lease], at_ns: int) -> Sightings:
        """After a look at all leases at this monotonic time. A lease that is gone is forgotten."""
        return Sightings(
            {
                lease.writer: self.of[lease.writer].then(lease.counter, at_ns)
                if lease.writer in self.of
                else Sighting(lease.counter, at_ns, at_ns)
                for lease in leases
            }
        )


def judge(lease: Lease, observer: Observer, sightings: Sightings, *, ttl_s: float = TTL_S) -> Liveness:
    """Whether the lease's writer lives.

    In a copied home nobody can tell. Where the process id has a meaning, the process decides, at once; a
    stopped one lives. Elsewhere the counter does, once it was watched standing still for `ttl_s` seconds.
    """
    if lease.folder_inode != observer.folder_inode:
        return Liveness.UNKNOWN
    if lease.space.is_one_with(observer.space):
        process = observer.process_of(lease.pid)
        if process is None:
            return Liveness.DEAD
        if None not in (process.started, lease.started):
            return Liveness.ALIVE if process.started == lease.started else Liveness.DEAD
    sighting = sightings.of.get(lease.writer)
    if sighting is None or sighting.counter != lease.counter:
        return Liveness.UNKNOWN
    if sighting.unchanged_ns >= ttl_s * 1e9:
        return Liveness.DEAD
    return Liveness.ALIVE if sighting.moved else Liveness.UNKNOWN
