"""The sections of a selection's settings, with their defaults."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, ConfigDict, Field, ValidationError, field_validator, model_validator

from ..errors import NameInvalid
from ..keys import StudyKey
from ..naming import check_experiment_name
from ..run_view import KeySchema
from ..study import Direction
from ..value import Described
from .metric import Bounds, MetricFrom, MetricSpec, Range, Transform
from .refit_mapping import RefitRequirement, RefitRule


class RefitScope(StrEnum):
    """Where refits are looked for: in the trial's experiment, or in all in scope."""

    EXPERIMENT = "experiment"
    SCOPE = "scope"


_StudyName = Annotated[str, Field(pattern=rf"^(({StudyKey.KIND}:)?[0-9a-f]{{12,64}}|azureml:.+)$")]


class ScopeConfig(Described):
    """Which runs may take part. Empty lists mean: those of the project."""

    experiments: tuple[str, ...] = ()
    """The experiments that are read; empty: the project's."""
    studies: tuple[_StudyName, ...] = ()
    """Study keys, in full or their first 12 digits or more; empty: all."""
    families: tuple[str, ...] = ()
    """Model families; empty: all."""
    since: AwareDatetime | None = None
    """Trials that started earlier take no part."""
    schemas: tuple[KeySchema, ...] = Field((KeySchema.V3, KeySchema.V2), min_length=1)
    """Whose keys are accepted, the preferred first."""
    mix_schemas: bool = False
    """Whether studies of different schemas may compete within a family."""
    assume_schema: Literal[KeySchema.V1, KeySchema.V2] | None = None
    """The schema of legacy runs that name none."""
    refits: RefitScope = RefitScope.EXPERIMENT
    """Where the refit of a trial may lie: in the trial's experiment, or in any in scope."""

    @field_validator("schemas")
    @classmethod
    def _distinct(cls, schemas: tuple[KeySchema, ...]) -> tuple[KeySchema, ...]:
        if len(set(schemas)) != len(schemas):
            raise ValueError("a schema is listed twice")
        return schemas

    @property
    def since_ms(self) -> int | None:
        """`since` in UTC milliseconds."""
        return None if self.since is None else round(self.since.timestamp() * 1000)


class ObjectiveDirection(StrEnum):
    """The direction: as the studies record it, or this one."""

    FROM_STUDY = "from_study"
    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"


class ObjectiveConfig(Described):
    """The objective: None and `from_study` take what the studies record."""

    metric: str | None = None
    """The metric; null: as the studies record it. Needed when they have several."""
    direction: ObjectiveDirection = ObjectiveDirection.FROM_STUDY
    """Which way is better."""
    range: Range | None = None
    """Values outside of `[lowest, highest]` are rejected."""
    min_range: float = Field(0.0, ge=0, allow_inf_nan=False)
    """The least spread that utilities are scaled by, in units of the transformed value."""
    transform: Transform = Transform.LINEAR
    """What the rankers `composite` and `ideal` compare: the value, or its logarithm."""
    bounds: Bounds | None = None
    """The values that score 0 and 1 on the scale `reference`."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        directions = [self.configured] if self.configured else list(Direction)
        problems = []
        for direction in directions:
            try:
                self.spec(self.metric or "?", direction)
            except ValidationError as error:
                problems.append(error.errors()[0]["msg"].removeprefix("Value error, "))
        if len(problems) == len(directions):
            raise ValueError(problems[0])
        return self

    @property
    def configured(self) -> Direction | None:
        """The configured direction, if it is not the study's."""
        return None if self.direction is ObjectiveDirection.FROM_STUDY else Direction(self.direction.value)

    def spec(self, metric: str, direction: Direction) -> MetricSpec:
        """The objective as a metric of the decision."""
        return MetricSpec(
            source=MetricFrom.TRIAL,
            name=metric,
            direction=direction,
            range=self.range,
            min_range=self.min_range,
            transform=self.transform,
            bounds=self.bounds,
        )


class ChampionsConfig(Described):
    """How many valid trials make a study eligible, and how many of its best make its level."""

    min_trials: int = Field(3, ge=1)
    """A study with fewer valid trials has no champion."""
    top_k: int = Field(3, ge=1)
    """The level of a study is the median of so many of its best trials."""


class RefitConfig(Described):
    """Which refit may stand for a trial, and whether one must."""

    requirement: RefitRequirement = RefitRequirement.REQUIRED
    """Whose files are served: the refit's only, the refit's or else the trial's, or the trial's."""
    protocol_fp: str | None = Field(None, pattern=r"^(rp3:)?[0-9a-f]{64}$")
    """The refit protocol that is demanded: 64 digits."""
    accept_missing_protocol: bool = True
    """Whether legacy refits that record no protocol pass that demand."""

    @property
    def rule(self) -> RefitRule:
        """The part that the mapping reads."""
        return RefitRule(self.protocol_fp, self.accept_missing_protocol)


class ArtifactRequirement(StrEnum):
    """What must be known about the files of the run that would be served."""

    AVAILABLE = "available"
    NOT_UNAVAILABLE = "not_unavailable"
    IGNORE = "ignore"


class CandidatesFrom(StrEnum):
    """Every trial, or the champions of the families only."""

    TRIALS = "trials"
    CHAMPIONS = "champions"


class CandidatesConfig(Described):
    """Who competes."""

    model_config = ConfigDict(populate_by_name=True)

    source: CandidatesFrom = Field(CandidatesFrom.TRIALS, alias="from")
    """Who competes: every trial, or the champions of the families."""


class Aggregate(StrEnum):
    """How several benchmark runs of one key become one value."""

    LATEST = "latest"
    MEDIAN = "median"
    MEAN = "mean"


class EnvironmentField(StrEnum):
    """What may have to be equal for two benchmarks to be comparable."""

    HARDWARE = "hardware"
    DEVICE = "device"
    PRECISION = "precision"
    BATCH_SIZE = "batch_size"
    SEQUENCE_LENGTH = "sequence_length"
    DATA_FP = "data_fp"
    RUNTIME = "runtime"
    FAMILY = "family"


class OnIncomparable(StrEnum):
    """What to do when no environment covers all benchmarked candidates."""

    REFUSE = "refuse"
    LARGEST = "largest"


class BenchmarkRule(Described):
    """Which benchmark runs count, which may be compared, and how several become one value."""

    required_metrics: tuple[str, ...] = ()
    """Benchmark metrics that a candidate must have; empty: those that the policy reads."""
    aggregate: Aggregate = Aggregate.LATEST
    """How several benchmark runs of one key become one value."""
    key: str = Field("newest", min_length=1)
    """Which benchmark of a candidate counts: `newest`, or a benchmark key."""
    comparable_on: tuple[EnvironmentField, ...] = (
        EnvironmentField.HARDWARE,
        EnvironmentField.DEVICE,
        EnvironmentField.PRECISION,
        EnvironmentField.BATCH_SIZE,
        EnvironmentField.SEQUENCE_LENGTH,
        EnvironmentField.DATA_FP,
    )
    """What must be equal for two benchmarks to be compared."""
    environment: str = Field("auto", pattern=r"^(auto|[0-9a-f]{64})$")
    """The environment that is compared in: `auto`, or the 64 digits of one."""
    on_incomparable: OnIncomparable = OnIncomparable.REFUSE
    """When no environment covers all: refuse, or compare in the one that covers most."""


class RecordMode(StrEnum):
    """Whether a record with the same key is returned, or a new one stored."""

    REUSE = "reuse"
    ALWAYS_NEW = "always_new"


class RecordConfig(Described):
    """How the record is stored; none of it is in any key."""

    mode: RecordMode = RecordMode.REUSE
    """`reuse`: the same inputs give the recorded decision again; `always_new`: another record."""
    experiment: str | None = None
    """The experiment of the record; null: that of the stage `selection`."""
    list_screened: int = Field(100, ge=0)
    """How many screened runs are listed a reason; all are counted."""

    @field_validator("experiment")
    @classmethod
    def _portable(cls, name: str | None) -> str | None:
        try:
            return name if name is None else check_experiment_name(name)
        except NameInvalid as error:
            raise ValueError(f"{error.problem}: {error.cure}") from error
