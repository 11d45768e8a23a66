"""Watches the writers of a home: who lives, as far as this process has seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from ..domain.liveness import TTL_S, Liveness, Sightings, judge
from ..ports.clock import Clock
from ..ports.leases import Leases


class Doubt(StrEnum):
    """Why nobody can tell whether a writer lives.

    NO_LEASE: it holds none that can be read; a journal that was copied here without its leases looks like that.
    COPIED_HOME: it holds one of another home. UNDECIDED: it was not watched for long enough.
    """

    NO_LEASE = "no_lease"
    COPIED_HOME = "copied_home"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the leases showed. A writer that is not named holds no lease."""

    liveness: dict[str, Liveness] = field(default_factory=dict)
    copied: frozenset[str] = frozenset()

    def of(self, writer: str) -> Liveness:
        """Whether the writer lives."""
        return self.liveness.get(writer, Liveness.UNKNOWN)

    def doubt(self, writer: str) -> Doubt | None:
        """Why that is unknown; None when it is known."""
        if writer not in self.liveness:
            return Doubt.NO_LEASE
        if writer in self.copied:
            return Doubt.COPIED_HOME
        return Doubt.UNDECIDED if self.of(writer) is Liveness.UNKNOWN else None

    def may_write(self, writer: str) -> bool:
        """Whether more can come from the writer here: it lives, or was not watched for long enough."""
        return self.of(writer) is Liveness.ALIVE or self.doubt(writer) is Doubt.UNDECIDED


class WriterWatch:
    """One observer. Keep it: what it saw before is what it judges writers of other machines by."""

    def __init__(self, leases: Leases, clock: Clock, *, ttl_s: float = TTL_S) -> None:
        self.ttl_s = ttl_s
        self._leases = leases
        self._clock = clock
        self._sightings = Sightings()

    def look(self) -> Look:
        """Read the leases and judge their writers. Raises HomeUnusable."""
        observer = self._leases.observer()
        leases = self._leases.read()
        self._sightings = sightings = self._sightings.then(leases, self._clock.monotonic_ns())
        return Look(
            {lease.writer: judge(lease, observer, sightings, ttl_s=self.ttl_s) for lease in leases},
            frozenset(lease.writer for lease in leases if lease.folder_inode != observer.folder_inode),
        )

    def may_write(self, writer: str) -> bool:
        """Whether more can come from the writer here: it lives, or was not watched for long enough.

        For the journal's reader, which waits for the corrupt lines of such a writer.
        """
        return self.look().may_write(writer)
