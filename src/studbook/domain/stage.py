"""The stages of a model's life, and what each may be child of."""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """What a run is a run of."""

    SWEEP = "hpo_sweep"
    TRIAL = "hpo_trial"
    FOLD = "hpo_fold"
    REFIT = "hpo_refit"
    BENCHMARK = "benchmark"
    SELECTION = "selection"
    FINAL_TRAINING = "final_training"
    CONVERSION = "conversion"


class ExperimentGroup(StrEnum):
    """Stages that share an experiment."""

    HPO = "hpo"
    BENCHMARK = "benchmark"
    SELECTION = "selection"
    TRAINING = "training"
    CONVERSION = "conversion"


GROUP_OF: dict[Stage, ExperimentGroup] = {
    Stage.SWEEP: ExperimentGroup.HPO,
    Stage.TRIAL: ExperimentGroup.HPO,
    Stage.FOLD: ExperimentGroup.HPO,
    Stage.REFIT: ExperimentGroup.HPO,
    Stage.BENCHMARK: ExperimentGroup.BENCHMARK,
    Stage.SELECTION: ExperimentGroup.SELECTION,
    Stage.FINAL_TRAINING: ExperimentGroup.TRAINING,
    Stage.CONVERSION: ExperimentGroup.CONVERSION,
}
