"""Leases of a home's writers: the sign of life that others can read."""

from __future__ import annotations

from typing import Protocol

from ..domain.liveness import Lease, Observer


class Leases(Protocol):
    """One lease a writer, kept in the home. Raises HomeUnusable when the home does not take or give them.

    Safe from several threads, and across a fork: what a process holds names that process.
    """

    def hold(self, writer: str) -> None:
        """Take out the writer's lease for this process; others see it when this returns."""
        ...

    def renew(self, writer: str) -> None:
        """Show that the writer lives: its counter takes a value that it never had. Holds what is not held."""
        ...

    def release(self, writer: str) -> None:
        """Remove the writer's lease, whoever held it; when there is none, nothing happens."""
        ...

    def read(self) -> tuple[Lease, ...]:
        """All leases that can be read, by writer. One that cannot be is left out: nothing is known of it."""
        ...

    def observer(self) -> Observer:
        """This process as the one who looks at them."""
        ...
