"""A study: one search, and what makes it the same search."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, field_validator

from .checked import Checked, invalid
from .data import DataSpec, EvalSpec
from .errors import MetricNameInvalid, StudyInvalid
from .fields import Free, ModelFamily, Number, OptionalFree, OptionalInteger
from .keys import DataKey, EvalKey, StudyFamilyKey, StudyKey
from .recorded_values import check_metric_name
from .search_space import DynamicSpace, SearchSpace
from .stage import Stage
from .validation import NoValidation, Validation


class Direction(StrEnum):
    """Which way a metric gets better."""

    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"


class FoldAggregate(StrEnum):
    """How the folds' values become the trial's."""

    MEAN = "mean"
    MEDIAN = "median"
    WORST = "worst"


class Objective(Checked):
    """A metric and which way it gets better."""

    ERROR = StudyInvalid

    metric: str
    direction: Direction

    @field_validator("metric")
    @classmethod
    def _name(cls, metric: str) -> str:
        try:
            check_metric_name(metric, Stage.TRIAL)
        except MetricNameInvalid as error:
            raise invalid(error.problem, error.cure) from error
        return metric


def maximize(metric: str) -> Objective:
    """More is better."""
    return Objective(metric=metric, direction=Direction.MAXIMIZE)


def minimize(metric: str) -> Objective:
    """Less is better."""
    return Objective(metric=metric, direction=Direction.MINIMIZE)


def objective(metric: str, direction: str) -> Objective:
    """An objective whose direction may be shortened to `max` or `min`."""
    long = {"max": "maximize", "min": "minimize"}.get(direction, direction)
    return Objective.model_validate({"metric": metric, "direction": long})


class Budget(Checked):
    """How much training a trial gets; `early_stopping` is null or the rule's options."""

    ERROR = StudyInvalid

    unit: Literal["epochs", "steps", "samples", "seconds", "fits"]
    amount: Number = Field(gt=0)
    early_stopping: OptionalFree = None

    def payload(self) -> dict[str, Any]:
        """What keys take of it."""
        return {"unit": self.unit, "amount": self.amount, "early_stopping": self.early_stopping}


def _base(data: dict[str, Any]) -> int | None:
    return None if data.get("kind") == "none" else 0


class SeedPolicy(Checked):
    """Where seeds come from: derived from `base` and their use, `base` itself, or none are set."""

    ERROR = StudyInvalid

    kind: Literal["derived", "fixed", "none"] = "derived"
    base: OptionalInteger = Field(default_factory=_base)

    def model_post_init(self, _context: object, /) -> None:
        if (self.base is None) != (self.kind == "none"):
            raise invalid(
                f"seed policy {self.kind} with base {self.base}", "`none` has no base, the others have one"
            )

    @classmethod
    def derived(cls, base: int = 0) -> SeedPolicy:
        """Each use gets its own seed, made from `base`."""
        return cls(kind="derived", base=base)

    @classmethod
    def fixed(cls, base: int) -> SeedPolicy:
        """Every training gets `base`."""
        return cls(kind="fixed", base=base)

    @classmethod
    def none(cls) -> SeedPolicy:
        """No seed is set or given."""
        return cls(kind="none", base=None)

    def payload(self) -> dict[str, Any]:
        """What keys take of it."""
        return {"kind": self.kind, "base": self.base}


class Sampling(Checked):
    """The sampler's algorithm and its options; its seed follows from the seed policy."""

    ERROR = StudyInvalid

    algorithm: str = Field("tpe", min_length=1)
    options: Free = Field(default_factory=dict)

    def payload(self) -> dict[str, Any]:
        """What keys take of it."""
        return {"algorithm": self.algorithm, "options": self.options}


class Pruning(Checked):
    """The pruner's algorithm and its options."""

    ERROR = StudyInvalid

    algorithm: str = Field(min_length=1)
    options: Free = Field(default_factory=dict)

    def payload(self) -> dict[str, Any]:
        """What keys take of it."""
        return {"algorithm": self.algorithm, "options": self.options}


def _space(given: object) -> object:
    if isinstance(given, (SearchSpace, DynamicSpace)):
        return given
    if isinstance(given, str) and given.startswith("dynamic:"):
        return DynamicSpace(revision=given.removeprefix("dynamic:"))
    return SearchSpace.parse(given)


def _objectives(given: object) -> object:
    if isinstance(given, (Objective, Mapping)):
        given = (given,)
    if not isinstance(given, (list, tuple)):
        return given
    return tuple(_pair(each) if isinstance(each, (list, tuple)) else each for each in given)


def _pair(given: list[Any] | tuple[Any, ...]) -> object:
    return {"metric": given[0], "direction": given[1]} if len(given) == 2 else given


def _family(data: dict[str, Any]) -> str:
    return str(data.get("name", ""))


class StudyDefinition(Checked):
    """What a study searches, on what, by what score. The number of trials is no part of it."""

    ERROR = StudyInvalid

    name: str
    model_family: ModelFamily = Field(default_factory=_family, validate_default=True)
    data: DataSpec = Field(default_factory=DataSpec.undeclared)
    evaluation: EvalSpec = Field(default_factory=EvalSpec)
    objectives: Annotated[tuple[Objective, ...], BeforeValidator(_objectives)] = Field(min_length=1)
    fold_aggregate: FoldAggregate = FoldAggregate.MEAN
    validation: Validation = Field(default_factory=NoValidation)
    space: Annotated[SearchSpace | DynamicSpace, BeforeValidator(_space)] = Field(alias="search_space")
    sampling: Sampling = Field(default_factory=Sampling)
    pruning: Pruning | None = None
    budget: Budget | None = None
    seed_policy: SeedPolicy = Field(default_factory=SeedPolicy)
    revision: str | None = Field(None, min_length=1)

    model_config = ConfigDict(populate_by_name=True)

    @field_validator("name")
    @classmethod
    def _name(cls, name: str) -> str:
        if not name.strip():
            raise invalid("the study's name is blank", "give it a name")
        return name.strip()

    def model_post_init(self, _context: object, /) -> None:
        metrics = [each.metric for each in self.objectives]
        if len(set(metrics)) != len(metrics):
            raise invalid("two objectives have the same metric", "name each metric once")
        if self.pruning is not None and len(metrics) > 1:
            raise invalid("a study with several objectives cannot prune", "drop the pruner or the objectives")

    @property
    def data_key(self) -> DataKey:
        """The identity of its data."""
        return self.data.key

    @property
    def eval_key(self) -> EvalKey:
        """The identity of its evaluation."""
        return self.evaluation.key

    @property
    def objective_pairs(self) -> tuple[tuple[str, str], ...]:
        """Metric and direction of each objective, as events carry them."""
        return tuple((each.metric, each.direction.value) for each in self.objectives)

    def payload(self) -> dict[str, Any]:
        """What the key is made of."""
        return {
            **self.family_payload(),
            "search_space": self.space.payload(),
            "sampling": self.sampling.payload(),
            "pruning": self.pruning and self.pruning.payload(),
            "budget": self.budget and self.budget.payload(),
            "seed_policy": self.seed_policy.payload(),
            "model_family": self.model_family,
            "revision": self.revision,
        }

    def family_payload(self) -> dict[str, Any]:
        """What makes scores comparable: the part of the payload that the family key is made of."""
        return {
            "data": self.data_key,
            "eval": self.eval_key,
            "objectives": [list(pair) for pair in self.objective_pairs],
            "fold_aggregate": self.fold_aggregate,
            "validation": self.validation.payload(),
        }

    @property
    def key(self) -> StudyKey:
        """The study's identity."""
        return StudyKey.of(self.payload())

    @property
    def family_key(self) -> StudyFamilyKey:
        """The identity of all studies whose scores can be compared with this one's."""
        return StudyFamilyKey.of(self.family_payload())

    @classmethod
    def parse(cls, given: object, *, at: str = "study") -> StudyDefinition:
        """The study of a mapping, as settings give it. Raises StudyInvalid or IdentityError."""
        return super().parse(given, at=at)
