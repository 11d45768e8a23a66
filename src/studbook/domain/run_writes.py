"""The writes of one run at one moment: what the projection's rules are written with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import JsonValue

from .keys import RunKey
from .product_events import Lineage
from .recorded_values import param_text
from .run import RunStatus
from .stage import Stage
from .store_writes import EndRun, MetricPoint, RecordBatch, RecordRun, StoreWrite
from .vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class RunWrites:
    """Builds the writes of one event. `at_ms` is the event's own time, UTC milliseconds."""

    run_key: RunKey
    at_ms: int
    writer: str
    vocabulary: Vocabulary

    def of(self, run_key: RunKey) -> RunWrites:
        """The same moment, on another run."""
        return replace(self, run_key=run_key)

    def tags(self, stage: Stage | None, values: Mapping[str, object]) -> dict[str, str]:
        """Tags by key, as text. Values that are None are left out."""
        return dict(
            self.vocabulary.write(name, value, stage) for name, value in values.items() if value is not None
        )

    def lineage(self, stage: Stage, lineage: Lineage) -> dict[str, str]:
        """The tags of the ancestors that are known, as far as runs of the stage carry them."""
        values = {
            "lineage.source": lineage.source,
            "lineage.sweep": lineage.sweep,
            "lineage.trial": lineage.trial,
            "lineage.refit": lineage.refit,
            "lineage.selection": lineage.selection,
            "lineage.parent": lineage.parent,
            "study.model_family": lineage.model_family,
            "study.key": lineage.study_key,
            "study.family_key": lineage.family_key,
            "trial.key": lineage.trial_key,
        }
        return self.tags(
            stage, {name: value for name, value in values.items() if self.vocabulary.carries(name, stage)}
        )

    def record(
        self,
        *,
        tags: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        metrics: Mapping[str, float] | None = None,
        step: int = 0,
    ) -> tuple[StoreWrite, ...]:
        """One record with everything given; nothing, when nothing is."""
        points = [MetricPoint(name, value, self.at_ms, step) for name, value in (metrics or {}).items()]
        batch = RecordBatch(dict(params or {}), tuple(points), dict(tags or {}))
        return (RecordRun(self.run_key, batch),) if batch else ()

    def end(
        self, status: RunStatus, ended_at_ms: int, values: Mapping[str, object], stage: Stage | None = None
    ) -> tuple[StoreWrite, ...]:
        """The end of the run, with its last tags."""
        return (EndRun(self.run_key, status, ended_at_ms, self.tags(stage, values)),)


def param_texts(params: Mapping[str, JsonValue]) -> dict[str, str]:
    """Params as text, null included: a point of a search space may hold it."""
    return {name: param_text(value) for name, value in params.items()}


def setting_texts(settings: Mapping[str, JsonValue]) -> dict[str, str]:
    """Settings as text. A setting that is null was not made, and is left out."""
    return {name: param_text(value) for name, value in settings.items() if value is not None}


def milliseconds(ns: int) -> int:
    """Nanoseconds as milliseconds, by floor."""
    return ns // 1_000_000
