"""The run reader gives back what the events said."""

from __future__ import annotations

import math
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from generated_events import (
    ENDINGS,
    MS,
    PARENT,
    RUN,
    envelope,
    instances,
    manifest,
    started,
    tags_of,
)
from studbook.domain.manifest import ArtifactKind
from studbook.domain.product_events import (
    BenchmarkStarted,
    FinalTrainingStarted,
)
from studbook.domain.projection import project
from studbook.domain.recorded_values import param_text
from studbook.domain.run import Ending, RunStatus
from studbook.domain.run_events import (
    ArtifactLogged,
    RunEnded,
)
from studbook.domain.run_reader import read_run
from studbook.domain.run_view import ArtifactState, KeySchema, RunView
from studbook.domain.search_events import (
    FoldScored,
    RefitStarted,
    TrialCompleted,
    TrialStarted,
)
from studbook.domain.stage import Stage
from studbook.domain.store_writes import (
    EndRun,
    RecordRun,
    StoreWrite,
)
from studbook.domain.stored_run import Lifecycle, StoredRun
from studbook.domain.value import Value


def stored(writes: Iterable[StoreWrite]) -> StoredRun:
    """What a store holds of the run after these writes."""
    tags: dict[str, str] = {}
    params: dict[str, str] = {}
    metrics: dict[str, float] = {}
    status, ended = RunStatus.RUNNING, None
    for write in writes:
        tags.update(tags_of(write))
        if isinstance(write, RecordRun):
            params.update(write.batch.params)
            metrics.update({point.name: point.value for point in write.batch.metrics})
        if isinstance(write, EndRun):
            status, ended = write.status, write.ended_at_ms
    return StoredRun("id", "demo-hpo", "n", status, Lifecycle.ACTIVE, MS, ended, "pid", tags, params, metrics)


def view_of(*sent: Value) -> RunView:
    return read_run(stored([write for event in sent for write in project(envelope(event))]))


@given(instances(TrialStarted), st.lists(st.floats(0, 1), min_size=1, max_size=4))
def test_a_trial_is_read_as_it_was_told(event: TrialStarted, scores: list[float]) -> None:
    name = event.objectives[0][0]
    folds = [
        FoldScored(index=i, digest=None, metrics={name: score}, objectives={name: score})
        for i, score in enumerate(scores)
    ]
    values = {name: math.fsum(scores)}
    done = TrialCompleted(
        number=event.number, trial_key=event.trial_key, values=values, metrics={"other": 2.0}
    )
    view = view_of(started(Stage.TRIAL), event, *folds, done, RunEnded(ending=Ending.finished()))
    assert (view.ref, view.run_id, view.parent, view.attempt) == (RUN, "id", PARENT, 2)
    assert (view.stage, view.status, view.key_schema) == (Stage.TRIAL, RunStatus.FINISHED, KeySchema.V3)
    assert (view.started_at, view.ended_at, view.end_reason) == (MS, MS, None)
    assert (view.study_key, view.family_key, view.trial_key) == (
        event.study_key,
        event.family_key,
        event.trial_key,
    )
    assert (view.family, view.trial_number) == (event.model_family, event.number)
    assert view.objectives == event.objectives
    assert view.params == event.params
    assert view.trial_state == "COMPLETE"
    assert view.folds == tuple(scores)
    assert (view.metrics[name], view.metrics["other"]) == (values[name], 2.0)


@given(instances(RefitStarted), ENDINGS)
def test_a_refit_is_read_as_it_was_told(event: RefitStarted, ending: Ending) -> None:
    logged = ArtifactLogged(
        manifest=manifest(ArtifactKind.CHECKPOINT).model_dump(mode="json", by_alias=True), pin="p"
    )
    view = view_of(started(Stage.REFIT), event, logged, RunEnded(ending=ending))
    assert (view.refit_of, view.protocol_fp) == (event.trial_run, event.protocol)
    assert (view.trial_key, view.params) == (event.trial_key, event.params)
    assert (view.status, view.end_reason) == (ending.status, ending.reason)
    assert view.artifact_state is ArtifactState.AVAILABLE
    assert view.artifacts == {"checkpoint": manifest().content_digest}


@given(instances(BenchmarkStarted))
def test_a_benchmark_is_read_as_it_was_told(event: BenchmarkStarted) -> None:
    view = view_of(started(Stage.BENCHMARK), event)
    assert (view.subject, view.benchmark_key) == (event.subject, event.benchmark_key)
    assert view.environment == {
        name: param_text(value) for name, value in event.environment.items() if value is not None
    }
    assert view.lineage == {
        name: value
        for name in ("source", "sweep", "trial", "refit", "selection", "parent")
        if (value := getattr(event.lineage, name)) is not None
    }
    assert view.artifact_state is ArtifactState.UNKNOWN


@given(instances(FinalTrainingStarted))
def test_a_final_training_is_read_as_it_was_told(event: FinalTrainingStarted) -> None:
    view = view_of(started(Stage.FINAL_TRAINING), event)
    assert view.params == event.params
    assert (view.family, view.study_key) == (event.lineage.model_family, event.lineage.study_key)
