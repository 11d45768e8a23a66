"""What decisions read of the runs that studbook recorded."""

from __future__ import annotations

from ..run_fields import RunFields
from .run_record import PARAMS

READ = RunFields(
    tags=frozenset(
        {
            "run.schema",
            "run.key",
            "run.stage",
            "run.attempt",
            "run.parent_key",
            "study.key",
            "study.model_family",
            "study.objectives",
            "trial.key",
            "trial.params",
            "trial.state",
            "refit.of",
            "refit.protocol",
            "benchmark.key",
            "benchmark.subject",
            "benchmark.environment",
            "artifact.checkpoint",
            "artifact.model",
        }
    ),
    params=frozenset(PARAMS),
)
"""All that `trimmed` keeps. Runs of other tools are read whole: what they tell lies in many places."""
