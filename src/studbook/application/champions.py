"""The best trial of each model family, from what the store holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..domain.selection.champions import ChampionReport, choose_champions
from ..domain.sweep_job import AzureSweep
from .selection_inputs import ReadInputs


class ChooseChampions:
    """The use case: a question; nothing is written."""

    def __init__(self, read: ReadInputs) -> None:
        self._read = read

    def __call__(self, changes: Mapping[str, Any], sweeps: Sequence[AzureSweep] = ()) -> ChampionReport:
        """The champions by the settings with `changes`, of the project or of the sweep jobs named. Raises
        PolicyInvalid, MixedObjectives, and what `ReadSweepJobs` raises.
        """
        inputs = self._read(changes, sweeps)
        return choose_champions(inputs.runs, inputs.config, inputs.experiments, inputs.warnings)
