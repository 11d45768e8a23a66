"""The vendor's own notion of a current run: for code that logs to whatever run is active."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class FluentRuns(Protocol):
    """One target's. Raises ConfigError where the vendor has no such notion, or another use of it is in the way."""

    def active(self, run_id: str) -> AbstractContextManager[None]:
        """Within the block, and in its thread, this run is the active one. Its status is left as it is, and what
        was active before is so again afterwards.
        """
        ...
