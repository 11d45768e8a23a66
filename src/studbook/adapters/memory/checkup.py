"""A backend in memory has nothing that could be wrong."""

from __future__ import annotations

from ...ports.checkup import Check, ok


class MemoryCheckup:
    """One check, which says what memory is."""

    def checks(self) -> tuple[Check, ...]:
        """That it is gone with its process."""
        return (Check("backend", lambda: ok("in memory: what is tracked is gone with its process")),)
