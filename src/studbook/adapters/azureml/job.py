"""The job that this process is in: what its service gave it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class JobAccess:
    """The job's run, its token, and its experiment's id, where the service tells it."""

    run_id: str
    token: str = field(repr=False)
    experiment_id: str | None = None
