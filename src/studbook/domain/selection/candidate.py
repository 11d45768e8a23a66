"""One who competes: a trial, what stands for it, and a value for each alias."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..run_view import RunView
from .refit_mapping import RefitMapping

UNKNOWN_FAMILY = "unknown"


@dataclass(frozen=True, slots=True)
class Measurement:
    """A value with its standard error, and the runs it comes from."""

    value: float
    se: float | None
    n_runs: int
    representative: str
    environment_fp: str | None = None
    benchmark_key: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trial, its mapping, the run whose files would be served, and its values by alias."""

    trial: RunView
    mapping: RefitMapping
    artifact_run: RunView
    values: dict[str, Measurement] = field(default_factory=dict)

    @property
    def ref(self) -> str:
        """The trial's ref: how the candidate is named."""
        return self.trial.ref

    @property
    def family(self) -> str:
        """The full model family, or `unknown`."""
        return self.trial.family or UNKNOWN_FAMILY
