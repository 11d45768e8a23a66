"""The sections of a selection's settings, with their defaults."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, ConfigDict, Field, ValidationError, field_validator, model_validator

from ..run_view import KeySchema
from ..study import Direction
from ..value import Value
from .metric import Bounds, MetricFrom, MetricSpec, Range, Transform
from .refit_mapping import RefitRequirement, RefitRule


class RefitScope(StrEnum):
    """Where refits are looked for: in the trial's experiment, or in all in scope."""

    EXPERIMENT = "experiment"
    SCOPE = "scope"


class ScopeConfig(Value):
    """Which runs may take part. Empty lists mean: those of the project."""

    experiments: tuple[str, ...] = ()
    studies: tuple[Annotated[str, Field(min_length=12)], ...] = ()
    families: tuple[str, ...] = ()
    since: AwareDatetime | None = None
    schemas: tuple[KeySchema, ...] = Field((KeySchema.V3, KeySchema.V2), min_length=1)
    mix_schemas: bool = False
    assume_schema: Literal[KeySchema.V1, KeySchema.V2] | None = None
    refits: RefitScope = RefitScope.EXPERIMENT

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


class ObjectiveConfig(Value):
    """The objective: None and `from_study` take what the studies record."""

    metric: str | None = None
    direction: ObjectiveDirection = ObjectiveDirection.FROM_STUDY
    range: Range | None = None
    min_range: float = Field(0.0, ge=0, allow_inf_nan=False)
    transform: Transform = Transform.LINEAR
    bounds: Bounds | None = None

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


class ChampionsConfig(Value):
    """How many valid trials make a study eligible, and how many of its best make its level."""

    min_trials: int = Field(3, ge=1)
    top_k: int = Field(3, ge=1)


class RefitConfig(Value):
    """Which refit may stand for a trial, and whether one must."""

    requirement: RefitRequirement = RefitRequirement.REQUIRED
    protocol_fp: str | None = Field(None, pattern=r"^(rp3:)?[0-9a-f]{64}$")
    accept_missing_protocol: bool = True

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


class CandidatesConfig(Value):
    """Who competes."""

    model_config = ConfigDict(populate_by_name=True)

    source: CandidatesFrom = Field(CandidatesFrom.TRIALS, alias="from")


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


class BenchmarkRule(Value):
    """Which benchmark runs count, which may be compared, and how several become one value."""

    required_metrics: tuple[str, ...] = ()
    aggregate: Aggregate = Aggregate.LATEST
    key: str = Field("newest", min_length=1)
    comparable_on: tuple[EnvironmentField, ...] = (
        EnvironmentField.HARDWARE,
        EnvironmentField.DEVICE,
        EnvironmentField.PRECISION,
        EnvironmentField.BATCH_SIZE,
        EnvironmentField.SEQUENCE_LENGTH,
        EnvironmentField.DATA_FP,
    )
    environment: str = Field("auto", pattern=r"^(auto|[0-9a-f]{64})$")
    on_incomparable: OnIncomparable = OnIncomparable.REFUSE


class RecordMode(StrEnum):
    """Whether a record with the same key is returned, or a new one stored."""

    REUSE = "reuse"
    ALWAYS_NEW = "always_new"


class RecordConfig(Value):
    """How the record is stored; none of it is in any key."""

    mode: RecordMode = RecordMode.REUSE
    experiment: str | None = None
    list_screened: int = Field(100, ge=0)


class PromotionConfig(Value):
    """What a promotion demands."""

    require_verified: bool = True
