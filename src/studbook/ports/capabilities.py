"""What a backend can take, as data: so that a fake can enforce any backend's limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Limits and abilities of a tracking and artifact backend. `None` means no limit.

    Lengths are in characters; the metrics of a run are counted by name; `experiment_names` is a regular expression.
    `visibility_delay_s` is how long a search may lag behind what was written; `ends_job_runs` says that the backend is
    a service which ends the runs of its jobs by itself, `children_beside_parent` that a run's children must be in its
    experiment.
    """

    metrics_per_batch: int = 1000
    params_per_batch: int = 100
    tags_per_batch: int = 100
    items_per_batch: int = 1000
    metrics_per_run: int | None = None
    params_per_run: int | None = None
    tags_per_run: int | None = None
    param_value_length: int = 6000
    tag_value_length: int = 8000
    param_name_length: int = 250
    tag_key_length: int = 250
    metric_name_length: int = 250
    experiment_names: str | None = None
    search_page: int = 1000
    visibility_delay_s: float = 0.0
    ends_job_runs: bool = False
    children_beside_parent: bool = False
    overwrites_artifacts: bool = True
    deletes_artifacts: bool = True
    artifact_file_cost: Literal["low", "high"] = "low"
