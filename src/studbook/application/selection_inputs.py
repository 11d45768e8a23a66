"""Reads the runs that a decision is made from, with the settings that it is made by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..domain.errors import PolicyInvalid
from ..domain.run_view import KeySchema, RunView
from ..domain.selection.config import SelectionConfig
from ..domain.selection.fields import READ
from ..domain.selection.joining import given_up
from ..domain.selection.warning import SelectionWarning
from ..domain.stage import Stage
from ..domain.sweep_job import AzureSweep
from .run_catalog import RunCatalog
from .sweep_job_trials import ReadSweepJobs

_STAGES = (Stage.SWEEP, Stage.TRIAL, Stage.REFIT, Stage.BENCHMARK)


@dataclass(frozen=True, slots=True)
class DecisionInputs:
    """The settings of a decision, the runs that it is made from, the experiments that hold any of them, and the
    warnings that they came with. The runs are given once: of very many, a decision keeps a shorter copy only.
    """

    config: SelectionConfig
    runs: Iterator[RunView]
    experiments: tuple[str, ...]
    warnings: tuple[SelectionWarning, ...] = ()

    @classmethod
    def of(
        cls,
        config: SelectionConfig,
        runs: Iterable[RunView],
        warnings: tuple[SelectionWarning, ...] = (),
    ) -> DecisionInputs:
        """The inputs of these runs."""
        held = list(runs)
        return cls(config, given_up(held), experiments_of(held), warnings)


class ReadInputs:
    """What every decision begins with."""

    def __init__(self, catalog: RunCatalog, config: SelectionConfig, sweep_jobs: ReadSweepJobs) -> None:
        self._catalog = catalog
        self._config = config
        self._sweep_jobs = sweep_jobs

    def __call__(self, changes: Mapping[str, Any], sweeps: Sequence[AzureSweep] = ()) -> DecisionInputs:
        """The runs in scope by the settings with `changes`; or the children of sweep jobs, where any are named.

        Raises PolicyInvalid, and what `ReadSweepJobs` raises.
        """
        if not sweeps:
            config = changed(self._config, changes)
            return DecisionInputs.of(config, scope_runs(config, self._catalog))
        config = changed_for_sweeps(self._config, changes)
        trials = self._sweep_jobs(sweeps)
        return DecisionInputs.of(config, trials.runs, trials.warnings)


def changed(config: SelectionConfig, changes: Mapping[str, Any]) -> SelectionConfig:
    """The settings with some keys of the section replaced. Raises PolicyInvalid, naming the nearest valid key."""
    if not changes:
        return config
    return SelectionConfig.parse({**_said(config), **changes})


def changed_for_sweeps(config: SelectionConfig, changes: Mapping[str, Any]) -> SelectionConfig:
    """The same for sweep jobs, whose children are rarely refitted or measured: where `changes` say nothing else, one
    child makes a study, its own files are served, and the best metric decides. The sweeps are the scope.
    """
    settings = _said(config)
    defaults: dict[str, dict[str, object]] = {
        "scope": {
            "experiments": (),
            "studies": (),
            "schemas": tuple(dict.fromkeys((*config.scope.schemas, KeySchema.NATIVE))),
        },
        "champions": {"min_trials": 1, "top_k": 1},
        "refit": {"requirement": "trial"},
    }
    merged = {**settings, "policy": "best_metric", **changes}
    for name, values in defaults.items():
        said = changes.get(name, {})
        if isinstance(said, Mapping):
            unsaid = {key: value for key, value in values.items() if key not in said}
            merged[name] = {**merged.get(name, {}), **unsaid}
    found = SelectionConfig.parse(merged)
    if found.scope.experiments:
        raise PolicyInvalid(
            "selection.scope.experiments does not go with sweep jobs, which say where their children are",
            cure="leave it out",
            key="selection.scope.experiments",
        )
    return found


def scope_runs(config: SelectionConfig, catalog: RunCatalog) -> tuple[RunView, ...]:
    """All runs that decisions read, every status, of the scope's experiments (default: all of the project), legacy
    ones included; delivered first. Of each, what decisions read.
    """
    ours = catalog.find(_STAGES, experiments=config.scope.experiments or None, fields=READ)
    return (*ours, *catalog.legacy(config.scope.experiments))


def experiments_of(runs: Iterable[RunView]) -> tuple[str, ...]:
    """The experiments that hold any of these runs: an empty one changes no decision, so no record names it."""
    return tuple(sorted({run.experiment for run in runs}))


def _said(config: SelectionConfig) -> dict[str, Any]:
    return config.model_dump(by_alias=True, exclude_unset=True)
