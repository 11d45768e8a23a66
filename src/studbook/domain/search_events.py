"""What happens in a search: studies, trials, folds, and refits."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .event_values import Metrics, Params
from .keys import DataKey, EvalKey, FoldKey, ProtocolKey, RunKey, StudyFamilyKey, StudyKey, TrialKey
from .value import Value


class StudyOpened(Value):
    """A session of a study began."""

    kind: Literal["StudyOpened"] = "StudyOpened"
    study_key: StudyKey
    family_key: StudyFamilyKey
    data_key: DataKey
    eval_key: EvalKey
    data_mode: str
    data_name: str | None = None
    name: str
    model_family: str
    objectives: tuple[tuple[str, str], ...]
    refit_planned: bool
    session: int = Field(ge=1)
    settings: Params


class TrialStarted(Value):
    """A point of a study is being tried."""

    kind: Literal["TrialStarted"] = "TrialStarted"
    study_key: StudyKey
    family_key: StudyFamilyKey
    model_family: str
    objectives: tuple[tuple[str, str], ...]
    trial_key: TrialKey
    number: int = Field(ge=0)
    params: Params


class FoldStarted(Value):
    """A trial is being trained on one split."""

    kind: Literal["FoldStarted"] = "FoldStarted"
    study_key: StudyKey
    model_family: str
    trial_key: TrialKey
    trial_number: int
    fold_key: FoldKey
    index: int = Field(ge=0)
    count: int = Field(ge=1)
    digest: str | None
    train_size: int
    validation_size: int
    seed: int | None = None


class FoldScored(Value):
    """A fold reported its numbers.

    Carried by the trial's run; `fold_run` is the fold's own run, when it has one. `objectives` are the values
    among `metrics` that the study optimises. `last_step` is the last step that the fold's training logged at:
    the final values are recorded there, since a store gives back the value of the highest step.
    """

    kind: Literal["FoldScored"] = "FoldScored"
    index: int = Field(ge=0)
    digest: str | None
    metrics: Metrics
    objectives: Metrics
    fold_run: RunKey | None = None
    best_step: int | None = None
    last_step: int = 0
    reused_from: RunKey | None = None


class TrialCompleted(Value):
    """All folds of a trial are scored and every objective is finite.

    With `duplicate_of`, no training took place: the earlier run of the same point stands for it. `last_step`
    is that of FoldScored.
    """

    kind: Literal["TrialCompleted"] = "TrialCompleted"
    number: int
    trial_key: TrialKey
    values: Metrics
    metrics: Metrics
    last_step: int = 0
    duplicate_of: RunKey | None = None


class TrialPruned(Value):
    """A trial was given up because it did not look promising."""

    kind: Literal["TrialPruned"] = "TrialPruned"
    number: int
    trial_key: TrialKey
    step: int
    last_value: float | None = None
    folds_scored: int = 0
    duplicate_of: RunKey | None = None


class TrialFailed(Value):
    """A trial ended without a usable objective."""

    kind: Literal["TrialFailed"] = "TrialFailed"
    number: int
    trial_key: TrialKey
    reason: str
    error: str | None = None


class StudyClosed(Value):
    """A session of a study ended. `counts` go by their metric names: `trials_total`, `pareto_size`, …"""

    kind: Literal["StudyClosed"] = "StudyClosed"
    outcome: Literal["completed", "exhausted", "timeout", "stopped", "interrupted", "failed"]
    counts: dict[str, int]
    best_trial: TrialKey | None = None
    best_run: RunKey | None = None


class RefitStarted(Value):
    """A trial is being trained again, on all data of its protocol."""

    kind: Literal["RefitStarted"] = "RefitStarted"
    study_key: StudyKey
    family_key: StudyFamilyKey
    study_name: str
    model_family: str
    objectives: tuple[tuple[str, str], ...]
    data_key: DataKey
    eval_key: EvalKey
    data_mode: str
    data_name: str | None = None
    trial_run: RunKey
    trial_key: TrialKey
    trial_number: int
    protocol: ProtocolKey
    reason: Literal["best_trial", "champion", "requested"]
    validation: Literal["none", "holdout"]
    params: Params
    settings: Params


class RefitLinked(Value):
    """A refit has its checkpoint and stands for its trial."""

    kind: Literal["RefitLinked"] = "RefitLinked"
    trial_run: RunKey
    trial_key: TrialKey
    protocol: ProtocolKey
    content_digest: str
