"""From a stored run to what decisions read of it: the inverse of the projection."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import lru_cache
from typing import Any

from .errors import MalformedRun
from .legacy_run import read_legacy_run
from .manifest import ArtifactKind
from .recorded_values import param_text
from .run_view import NOTHING, ArtifactState, KeySchema, RunView
from .stage import Stage
from .stored_run import StoredRun
from .tag_table import SCHEMA
from .vocabulary import DEFAULT_VOCABULARY, Vocabulary

_SERVED = frozenset({str(ArtifactKind.CHECKPOINT), str(ArtifactKind.MODEL)})


def read_run(
    run: StoredRun,
    vocabulary: Vocabulary = DEFAULT_VOCABULARY,
    objective: str | None = None,
    params: frozenset[str] | None = None,
) -> RunView:
    """The run, parsed. Long values must have been joined before.

    `objective` is the metric whose fold values are read; without it, the first that the run records. With
    `params`, the view holds those params only, and no tags as text: of very many runs, most of the memory. A run
    without run.schema is legacy or foreign, and is known by its backend id. Raises MalformedRun, which names
    run and tag.
    """
    schema = vocabulary.read("run.schema", run.tags, run=run.run_id)
    if schema is None:
        return read_legacy_run(run, vocabulary, objective)
    if schema != SCHEMA:
        raise MalformedRun(
            f"run {run.run_id}: its tags are of vocabulary {schema}, this studbook reads {SCHEMA}",
            cure="read it with the studbook release that wrote it (tag version)",
            run=run.run_id,
            tag=vocabulary.key("run.schema"),
        )
    tags = _Tags(run, vocabulary)
    objectives = tags.objectives()
    artifacts = tags.under("artifact.")
    stage = tags.values.get("run.stage")
    return RunView(
        ref=tags.text("run.key") or f"run:{run.run_id}",
        run_id=run.run_id,
        stage=stage if isinstance(stage, Stage) else None,
        status=run.status,
        lifecycle=run.lifecycle,
        experiment=run.experiment,
        name=run.name,
        started_at=run.started_at_ms,
        ended_at=run.ended_at_ms,
        parent=tags.text("run.parent_key") or (f"run:{run.parent_id}" if run.parent_id else None),
        family=tags.text("study.model_family"),
        study_key=_one(tags.text("study.key")),
        family_key=_one(tags.text("study.family_key")),
        trial_key=tags.text("trial.key"),
        trial_number=tags.number("trial.number"),
        key_schema=KeySchema.V3,
        attempt=tags.number("run.attempt") or 1,
        refit_of=tags.text("refit.of"),
        protocol_fp=tags.text("refit.protocol"),
        subject=tags.text("benchmark.subject"),
        benchmark_key=tags.text("benchmark.key"),
        environment=tags.environment(),
        objectives=objectives,
        trial_state=tags.text("trial.state"),
        end_reason=tags.text("run.end_reason"),
        error=tags.text("run.error"),
        artifact_state=ArtifactState.AVAILABLE if _SERVED & artifacts.keys() else ArtifactState.UNKNOWN,
        artifacts=artifacts,
        params=tags.params(params),
        metrics=run.metrics,
        folds=fold_values(run.metrics, objective or (objectives[0][0] if objectives else None)),
        lineage=tags.under("lineage."),
        tags=run.tags if params is None else NOTHING,
    )


def fold_values(metrics: Mapping[str, float], objective: str | None) -> tuple[float, ...]:
    """The objective's values by fold index, from 0 up to the first fold that has none."""
    values: list[float] = []
    while objective is not None and (value := metrics.get(f"{objective}_fold_{len(values)}")) is not None:
        values.append(value)
    return tuple(values)


@lru_cache(maxsize=1_000)
def _one(value: Hashable) -> Any:
    """The first of equal values, for all of them: the runs of a study say the same of it."""
    return value


class _Tags:
    """A run's tags, typed. Whatever is there must parse; whatever is not is None."""

    def __init__(self, run: StoredRun, vocabulary: Vocabulary) -> None:
        self._run = run
        self._vocabulary = vocabulary
        self.values = vocabulary.read_all(run.tags, run=run.run_id)

    def text(self, name: str) -> str | None:
        value = self.values.get(name)
        return value if value is None or type(value) is str else str(value)

    def number(self, name: str) -> int | None:
        value = self.values.get(name)
        return value if isinstance(value, int) else None

    def under(self, prefix: str) -> Mapping[str, str]:
        """The texts of all names with the prefix, by what follows it."""
        names = self._vocabulary.names_under(prefix)
        if names.isdisjoint(self.values):
            return NOTHING
        return {
            name.removeprefix(prefix): str(self.values[name]) for name in sorted(names & self.values.keys())
        }

    def params(self, wanted: frozenset[str] | None) -> Mapping[str, object]:
        typed = self.values.get("trial.params")
        if typed is None:
            typed = self._run.params
        if not isinstance(typed, dict):
            raise self._malformed("trial.params", "no mapping")
        if wanted is None:
            return dict(typed)
        return {name: typed[name] for name in sorted(wanted & typed.keys())} or NOTHING

    def environment(self) -> Mapping[str, str]:
        fields = self.values.get("benchmark.environment")
        if fields is None:
            return NOTHING
        if not isinstance(fields, dict):
            raise self._malformed("benchmark.environment", "no mapping")
        return {name: param_text(value) for name, value in fields.items() if value is not None}

    def objectives(self) -> tuple[tuple[str, str], ...]:
        pairs = self.values.get("study.objectives")
        if pairs is None:
            return ()
        if not isinstance(pairs, list):
            raise self._malformed("study.objectives", "no list")
        found: tuple[tuple[str, str], ...] = _one(tuple(self._objective(pair) for pair in pairs))
        return found

    def _objective(self, pair: object) -> tuple[str, str]:
        match pair:
            case [str(metric), "maximize" | "minimize" as direction]:
                return metric, direction
        raise self._malformed("study.objectives", "no list of [metric, maximize or minimize]")

    def _malformed(self, name: str, what: str) -> MalformedRun:
        key = self._vocabulary.key(name)
        return MalformedRun(
            f"run {self._run.run_id}: tag {key!r} is {what}",
            cure="correct the tag in the store, or delete the run",
            run=self._run.run_id,
            tag=key,
        )
