"""Sweep jobs that a service runs by itself: what it says of one. The children are runs of the tracking store."""

from __future__ import annotations

from typing import Protocol

from ..domain.sweep_job import SweepJob


class SweepJobs(Protocol):
    """Only read. Raises TrackingUnavailable when repeating may help."""

    def read(self, name: str) -> SweepJob:
        """The sweep job of this name. Raises SweepJobNotFound, and NotASweepJob for a job of another type."""
        ...
