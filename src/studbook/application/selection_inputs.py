"""Reads the runs that a decision is made from, with the settings that it is made by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..domain.run_view import RunView
from ..domain.selection.config import SelectionConfig
from ..domain.selection.fields import READ
from ..domain.stage import Stage
from .run_catalog import RunCatalog

_STAGES = (Stage.SWEEP, Stage.TRIAL, Stage.REFIT, Stage.BENCHMARK)


def changed(config: SelectionConfig, changes: Mapping[str, Any]) -> SelectionConfig:
    """The settings with some keys of the section replaced. Raises PolicyInvalid, naming the nearest valid key."""
    if not changes:
        return config
    return SelectionConfig.parse({**config.model_dump(by_alias=True, exclude_unset=True), **changes})


def scope_runs(config: SelectionConfig, catalog: RunCatalog) -> tuple[RunView, ...]:
    """All runs that decisions read, every status, of the scope's experiments (default: all of the project), legacy
    ones included; delivered first. Of each, what decisions read.
    """
    ours = catalog.find(_STAGES, experiments=config.scope.experiments or None, fields=READ)
    return (*ours, *catalog.legacy(config.scope.experiments))


def experiments_of(runs: Iterable[RunView]) -> tuple[str, ...]:
    """The experiments that hold any of these runs: an empty one changes no decision, so no record names it."""
    return tuple(sorted({run.experiment for run in runs}))
