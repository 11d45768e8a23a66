"""Reads the runs that a decision is made from, with the settings that it is made by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..domain.run_view import RunView
from ..domain.selection.config import SelectionConfig
from ..domain.stage import Stage
from .run_catalog import RunCatalog

_READ = (Stage.SWEEP, Stage.TRIAL, Stage.REFIT, Stage.BENCHMARK)


def changed(config: SelectionConfig, changes: Mapping[str, Any]) -> SelectionConfig:
    """The settings with some keys of the section replaced. Raises PolicyInvalid, naming the nearest valid key."""
    if not changes:
        return config
    return SelectionConfig.parse({**config.model_dump(by_alias=True, exclude_unset=True), **changes})


def scope_experiments(config: SelectionConfig, catalog: RunCatalog) -> tuple[str, ...]:
    """The experiments that are read: those that the settings name, else all of the project."""
    return config.scope.experiments or catalog.experiments()


def scope_runs(config: SelectionConfig, catalog: RunCatalog) -> tuple[RunView, ...]:
    """All runs of the scope's experiments that decisions read, every status; delivered first."""
    return catalog.find(_READ, experiments=scope_experiments(config, catalog))
