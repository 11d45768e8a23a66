"""Which runs are asked for: conditions joined by AND, on what a run says of itself. All pure."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from pydantic import JsonValue

from .errors import InvalidInput
from .recorded_values import param_text
from .run import RunStatus
from .run_view import RunView
from .stage import Stage
from .stored_run import Lifecycle

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    "==": operator.eq,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_BOUND = re.compile(
    r"\s*(?P<name>[^<>=!]*[^<>=!\s])\s*(?P<sign>>=|<=|!=|==|=|>|<)\s*(?P<number>[^<>=!\s]+)\s*"
)


@dataclass(frozen=True, slots=True)
class MetricBound:
    """A condition on a metric's last value. A run without the metric, or with NaN, never holds it."""

    name: str
    sign: str
    bound: float

    @classmethod
    def parse(cls, text: str) -> MetricBound:
        """From `macro_f1>=0.9`. Raises InvalidInput."""
        found = _BOUND.fullmatch(text)
        bound = _finite(found["number"]) if found else None
        if found is None or bound is None:
            raise InvalidInput(
                f"{text!r:.100} is no condition on a metric",
                cure="give a name, one of >= <= > < = !=, and a number, in quotes: 'macro_f1>=0.9'",
                given=text,
            )
        return cls(found["name"], found["sign"], bound)

    def holds(self, metrics: Mapping[str, float]) -> bool:
        """Whether the values meet the bound."""
        value = metrics.get(self.name, math.nan)
        return not math.isnan(value) and _COMPARISONS[self.sign](value, self.bound)


@dataclass(frozen=True, slots=True)
class RunFilter:
    """What is asked for; a field that is None or empty asks for nothing. Times are UTC milliseconds.

    A run matches that started at `since_ms` or later, and before `until_ms`. `studies` are study keys.
    """

    stages: frozenset[Stage] = frozenset(Stage)
    statuses: frozenset[RunStatus] = frozenset(RunStatus)
    lifecycles: frozenset[Lifecycle] = frozenset({Lifecycle.ACTIVE})
    family: str | None = None
    studies: frozenset[str] | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    metrics: tuple[MetricBound, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)

    def matches(self, run: RunView) -> bool:
        """Whether the run is one that is asked for."""
        return (
            run.stage in self.stages
            and run.status in self.statuses
            and run.lifecycle in self.lifecycles
            and self.family in (None, run.family)
            and (self.studies is None or run.study_key in self.studies)
            and self.has_begun(run.started_at)
            and not self.is_over(run.started_at)
            and all(bound.holds(run.metrics) for bound in self.metrics)
            and all(run.tags.get(key) == text for key, text in self.tags.items())
            and all(_param(run, key) == text for key, text in self.params.items())
        )

    def has_begun(self, started_at_ms: int) -> bool:
        """Whether a run that started then is not too early."""
        return self.since_ms is None or started_at_ms >= self.since_ms

    def is_over(self, started_at_ms: int) -> bool:
        """Whether a run that started then is too late."""
        return self.until_ms is not None and started_at_ms >= self.until_ms


def _param(run: RunView, key: str) -> str | None:
    """The param as a store holds it."""
    return param_text(cast("JsonValue", run.params[key])) if key in run.params else None


def _finite(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
