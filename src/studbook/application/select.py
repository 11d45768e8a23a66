"""Chooses the best model, and records the decision so that anybody can make it again."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rfc8785

from ..domain.keys import RunKey
from ..domain.manifest import ArtifactKind
from ..domain.product_events import ModelSelected
from ..domain.run import Ending, RunStatus
from ..domain.run_events import RunEnded
from ..domain.run_identity import of_selection
from ..domain.run_view import RunView
from ..domain.selection.config import SelectionConfig
from ..domain.selection.explain import explain_winner
from ..domain.selection.result import SelectionResult
from ..domain.selection.sections import RecordMode
from ..domain.selection.select import select
from ..domain.stage import Stage
from ..domain.stored_run import Lifecycle
from ..domain.sweep_job import AzureSweep
from ..ports.attempt_claims import AttemptClaims
from .ancestry import lineage_of
from .attempts import next_attempt
from .delivered_runs import DeliveredRuns
from .recorder import Recorder
from .run_catalog import RunCatalog
from .run_opening import RunOpening
from .selection_inputs import ReadInputs
from .store_artifact import ArtifactBuilder


@dataclass(frozen=True, slots=True, repr=False)
class Decision:
    """A selection and the run that records it; `ref` is empty for a dry run. `reused`: it was made before.
    `delivered` answers for that run.

    As text, why the winner won.
    """

    result: SelectionResult
    ref: str
    reused: bool = False
    delivered: DeliveredRuns | None = field(default=None, compare=False)

    def url(self, timeout: float | None = None) -> str | None:
        """The page that shows the recording run, delivering first; None where there is none, and for a dry run.
        Raises DeliveryPending after `timeout` seconds.
        """
        if self.delivered is None or not self.ref:
            return None
        return self.delivered.page(RunKey(self.ref), timeout)

    def __str__(self) -> str:
        return "\n".join(explain_winner(self.result))

    def __repr__(self) -> str:
        winner = self.result.winner
        made = ", reused" if self.reused else ""
        return f"Decision({self.result.policy!r}, {winner.family!r}, {winner.artifact_run!r}, ref={self.ref!r}{made})"


class SelectModel:
    """The use case: reads completely, decides purely, stores once."""

    def __init__(
        self,
        catalog: RunCatalog,
        recorder: Recorder,
        opening: RunOpening,
        artifacts: ArtifactBuilder,
        read: ReadInputs,
        claims: AttemptClaims,
        home: Path,
    ) -> None:
        self._catalog = catalog
        self._recorder = recorder
        self._opening = opening
        self._artifacts = artifacts
        self._read = read
        self._claims = claims
        self._home = home

    def __call__(
        self, changes: Mapping[str, Any], sweeps: Sequence[AzureSweep] = (), *, dry_run: bool = False
    ) -> Decision:
        """The decision by the settings with `changes`, over the project's trials or those of the sweep jobs named.

        Raises PolicyInvalid, NoCandidate, MixedObjectives, PolicyInputMissing, BenchmarksNotComparable, and what
        `ReadSweepJobs` raises; then nothing is stored.
        """
        inputs = self._read(changes, sweeps)
        config = inputs.config
        result = select(inputs.runs, config, inputs.experiments, inputs.warnings)
        if dry_run:
            return Decision(result, "")
        known = self._catalog.find(
            [Stage.SELECTION],
            experiments=self._experiments(config),
            selection_key=result.selection_key,
        )
        recorded = [run for run in known if _readable(run)]
        if recorded and config.record.mode is RecordMode.REUSE:
            newest = max(recorded, key=lambda run: run.attempt)
            return Decision(result, newest.ref, reused=True, delivered=self._catalog)
        return Decision(result, self._store(config, result, known), delivered=self._catalog)

    def _experiments(self, config: SelectionConfig) -> tuple[str, ...]:
        """Where decisions are recorded: those of the project, and the one of the settings, if it is there yet."""
        experiments = self._catalog.experiments()
        named = config.record.experiment
        if named is None or named in experiments:
            return experiments
        return (*experiments, named)

    def _store(
        self,
        config: SelectionConfig,
        result: SelectionResult,
        known: tuple[RunView, ...],
    ) -> RunKey:
        first = of_selection(self._opening.project.name, result.selection_key, attempt=1)
        identity = next_attempt(first, known, self._claims)
        # Of the runs, only what decisions need was read.
        winner = self._catalog.by_ref(f"run:{result.locations[result.winner.artifact_run]}")
        started = self._opening.started(
            identity, {"selection": result.selection_key}, experiment=config.record.experiment
        )
        selected = ModelSelected(
            selection_key=result.selection_key,
            policy=result.policy,
            winner_trial=result.winner.trial,
            winner_refit=result.winner.refit,
            settings={
                "policy": result.policy,
                "scope_experiments": ", ".join(result.inputs.plan.scope.experiments),
                "candidates_read": result.funnel["read"],
                "candidates_contending": result.funnel["contenders"],
            },
            metrics=_scores(result),
            lineage=lineage_of(winner),
        )
        folder = self._home / "work" / "selections" / identity.key.folder
        try:
            logged = self._artifacts.build(
                _record_folder(folder, result),
                name="selection",
                kind=ArtifactKind.ANY,
                run_key=identity.key,
                stage=Stage.SELECTION,
                required=True,
            )
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        self._recorder.record(identity.key, started, selected, logged, RunEnded(ending=Ending.finished()))
        return identity.key


def _readable(run: RunView) -> bool:
    return run.status is RunStatus.FINISHED and run.lifecycle is Lifecycle.ACTIVE


def _scores(result: SelectionResult) -> dict[str, float]:
    """The winner's score, the runner-up's, and the margin, where the policy has scores."""
    scores = [contender.score for contender in result.ranking[:2]]
    named = zip(
        ("score", "runner_up_score", "margin"),
        (*scores, *[None] * (2 - len(scores)), result.margin),
        strict=True,
    )
    return {name: value for name, value in named if value is not None}


def _record_folder(folder: Path, result: SelectionResult) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "selection.json").write_bytes(result.body())
    (folder / "inputs.json").write_bytes(result.inputs_json)
    (folder / "locations.json").write_bytes(rfc8785.dumps(dict(sorted(result.locations.items()))))
    return folder
