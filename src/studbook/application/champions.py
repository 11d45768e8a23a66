"""The best trial of each model family, from what the store holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..domain.selection.champions import ChampionReport, choose_champions
from ..domain.selection.config import SelectionConfig
from .run_catalog import RunCatalog
from .selection_inputs import changed, experiments_of, scope_runs


class ChooseChampions:
    """The use case: a question; nothing is written."""

    def __init__(self, catalog: RunCatalog, config: SelectionConfig) -> None:
        self._catalog = catalog
        self._config = config

    def __call__(self, changes: Mapping[str, Any]) -> ChampionReport:
        """The champions by the settings with `changes`. Raises PolicyInvalid, MixedObjectives."""
        config = changed(self._config, changes)
        runs = scope_runs(config, self._catalog)
        return choose_champions(runs, config, experiments_of(runs))
