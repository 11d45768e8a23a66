"""Builders of runs: a trial, its refit and its benchmark, told apart by one name."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from studbook.domain.run import RunStatus
from studbook.domain.run_view import ArtifactState, KeySchema, RunView
from studbook.domain.selection.config import SelectionConfig
from studbook.domain.selection.result import SelectionResult
from studbook.domain.selection.select import select
from studbook.domain.stage import Stage
from studbook.domain.stored_run import Lifecycle

HARDWARE = {"hardware": "hw", "device": "cpu", "precision": "fp32", "sequence_length": "1", "data_fp": "d"}


@dataclass(frozen=True)
class Runs:
    """Makes runs of one objective; every field can be given."""

    objective: str = "acc"
    direction: str = "maximize"
    defaults: dict[str, Any] = field(default_factory=dict)

    def trial(self, name: str, value: float, **fields: Any) -> RunView:
        """A COMPLETE trial of study S."""
        run = _run(Stage.TRIAL, f"trial-{name}", name, trial_key=f"key-{name}", family="forest")
        run = replace(
            run,
            objectives=((self.objective, self.direction),),
            trial_state="COMPLETE",
            metrics={self.objective: value},
        )
        return replace(run, **{**self.defaults, **fields})

    def refit(self, name: str, **fields: Any) -> RunView:
        """A refit that links to the trial of this name by backend id."""
        run = _run(Stage.REFIT, f"refit-{name}", name, trial_key=f"key-{name}", family="forest")
        run = replace(run, refit_of=f"id-trial-{name}", artifact_state=ArtifactState.AVAILABLE)
        return replace(run, **{**self.defaults, **fields})

    def benchmark(self, name: str, latency: float, **fields: Any) -> RunView:
        """A benchmark of the refit of this name."""
        run = _run(Stage.BENCHMARK, f"bench-{name}", name, trial_key=f"key-{name}", family="forest")
        run = replace(
            run,
            subject=f"refit-{name}",
            benchmark_key=f"bk3:{name}",
            environment=dict(HARDWARE),
            metrics={"latency_batch_1_ms": latency},
        )
        return replace(run, **fields)

    def candidate(
        self, name: str, value: float, latency: float | None = None, **fields: Any
    ) -> list[RunView]:
        """Trial, refit and, with a latency, benchmark."""
        found = [self.trial(name, value, **fields), self.refit(name)]
        return found if latency is None else [*found, self.benchmark(name, latency)]


def _run(stage: Stage, ref: str, name: str, **fields: Any) -> RunView:
    return RunView(
        ref=ref,
        run_id=f"id-{ref}",
        stage=stage,
        status=RunStatus.FINISHED,
        lifecycle=Lifecycle.ACTIVE,
        experiment="hpo",
        name=name,
        started_at=1_000,
        ended_at=2_000,
        study_key="S",
        key_schema=KeySchema.V3,
        **fields,
    )


@pytest.fixture(scope="session")
def make() -> Runs:
    """Runs whose objective is to maximize `acc`."""
    return Runs()


@pytest.fixture(scope="session")
def choose() -> Any:
    """`choose(runs, steps, **settings)`: select by a policy, given by its steps or a preset's name."""

    def chosen(runs: list[RunView], steps: Any = None, **settings: Any) -> SelectionResult:
        if isinstance(steps, str):
            settings["policy"] = steps
        elif steps is not None:
            settings |= {"policy": "tested", "policies": {"tested": steps}}
        return select(runs, SelectionConfig.parse(settings), ["hpo"])

    return chosen
