"""From an event to what a store must hold: pure, so that delivering again writes the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from . import product_projection as product
from . import search_projection as search
from .errors import JournalError, TagConflict
from .events import Envelope
from .keys import RunKey
from .manifest import ArtifactKind, ArtifactManifest
from .product_events import (
    BenchmarkMeasured,
    BenchmarkStarted,
    ChampionChosen,
    ConversionStarted,
    FinalTrainingCompleted,
    FinalTrainingStarted,
    ModelConverted,
    ModelSelected,
)
from .run import EndReason, RunStatus
from .run_events import (
    Adoption,
    ArtifactAcquired,
    ArtifactLogged,
    DeliveryRefused,
    MetricsLogged,
    ParamsLogged,
    RecordWritten,
    RefusalDismissed,
    RunEnded,
    RunHeartbeat,
    RunReaped,
    RunStarted,
    TagsSet,
)
from .run_writes import RunWrites, milliseconds, param_texts
from .search_events import (
    FoldScored,
    FoldStarted,
    RefitLinked,
    RefitStarted,
    StudyClosed,
    StudyOpened,
    TrialCompleted,
    TrialFailed,
    TrialPruned,
    TrialStarted,
)
from .stage import Stage
from .store_writes import (
    CreateRun,
    MetricPoint,
    RecordBatch,
    RecordRun,
    StoreWrite,
    UploadArtifact,
    WriteRecord,
)
from .tag_table import SCHEMA
from .value import Value
from .vocabulary import DEFAULT_VOCABULARY, Vocabulary

Writes = tuple[StoreWrite, ...]

_REKEYED = ("run.key", "run.attempt")
"""What a run is told when another home has its key."""


def project(envelope: Envelope, vocabulary: Vocabulary = DEFAULT_VOCABULARY) -> Writes:
    """The store writes of one event, in order. Metric times are the event's own, by floor to milliseconds.

    Raises JournalError for an event that names no run, or holds a manifest that does not parse, and TagConflict for
    tags that would rewrite what a run is.
    """
    event = envelope.event
    if isinstance(event, ArtifactAcquired | DeliveryRefused | RefusalDismissed):
        return ()
    if envelope.run_key is None:
        raise JournalError(
            f"event {envelope.writer}/{envelope.sequence} ({event.kind}) names no run",
            cure="such an event cannot be delivered: report it, with the line of the journal",
            writer=envelope.writer,
            sequence=envelope.sequence,
        )
    at_ms = milliseconds(envelope.occurred_at_ns)
    if isinstance(event, MetricsLogged):
        return _metrics_logged(event, envelope.run_key, at_ms)
    return RULES[type(event)](event, RunWrites(envelope.run_key, at_ms, envelope.writer, vocabulary))


def _run_started(event: RunStarted, run: RunWrites) -> Writes:
    values: dict[str, object] = {
        "run.key": run.run_key,
        "run.stage": event.stage,
        "run.attempt": event.attempt,
        "run.schema": SCHEMA,
        "run.version": event.version,
        "run.project": event.project,
        "run.writer": run.writer,
        "run.environment": event.environment,
        "run.created_by": event.created_by or None,
    }
    if run.vocabulary.carries("run.parent_key", event.stage):
        values["run.parent_key"] = event.parent
    tags = run.tags(event.stage, values)
    created = CreateRun(
        run.run_key,
        event.experiment,
        event.name,
        run.at_ms,
        dict(tags),
        event.parent,
        event,
        *_adoption(event.adopt, run),
    )
    # Not every backend keeps the tags that a run is created with, so they are recorded once more.
    return (created, *run.record(tags=tags))


def _adoption(adopt: Adoption | None, run: RunWrites) -> tuple[str | None, bool, dict[str, str]]:
    """The run to take over, whether also when it has ended, and what it is told when it is."""
    if adopt is None:
        return None, False, {}
    ended_by = "service" if adopt.ended_by_service else None
    return adopt.run_id, adopt.even_ended, run.tags(None, {"run.adopted": True, "run.ended_by": ended_by})


def _params_logged(event: ParamsLogged, run: RunWrites) -> Writes:
    return run.record(params=param_texts(event.params))


def _tags_set(event: TagsSet, run: RunWrites) -> Writes:
    rekeyed = {run.vocabulary.key(name) for name in _REKEYED}
    rewritten = sorted(key for key in event.tags if run.vocabulary.tells_identity(key) and key not in rekeyed)
    if rewritten:
        raise TagConflict(
            f"run {run.run_key}: {', '.join(rewritten)} would be rewritten, and tell what the run is",
            cure="set tags of your own; what a run is, is said by its start events, once",
            tags=rewritten,
        )
    return run.record(tags=event.tags)


def _metrics_logged(event: MetricsLogged, run_key: RunKey, at_ms: int) -> Writes:
    """The rule of nearly every event there is: it goes without what the others need."""
    if not event.metrics:
        return ()
    points = [MetricPoint(name, value, at_ms, event.step) for name, value in event.metrics.items()]
    return (RecordRun(run_key, RecordBatch(metrics=tuple(points))),)


def _artifact_logged(event: ArtifactLogged, run: RunWrites) -> Writes:
    try:
        manifest = ArtifactManifest.model_validate(event.manifest)
    except ValidationError as error:
        raise JournalError(
            f"run {run.run_key}: a logged artifact's manifest does not parse",
            cure="deliver with the studbook release that wrote the journal",
        ) from error
    values = (
        {} if manifest.kind is ArtifactKind.ANY else {f"artifact.{manifest.kind}": manifest.content_digest}
    )
    return (UploadArtifact(run.run_key, manifest, event.pin, event.required, run.tags(None, values)),)


def _record_written(event: RecordWritten, run: RunWrites) -> Writes:
    return (WriteRecord(run.run_key, f"studbook/records/{event.name}.json", event.content),)


def _run_heartbeat(event: RunHeartbeat, run: RunWrites) -> Writes:
    del event
    return run.record(tags=run.tags(None, {"run.last_seen": run.at_ms}))


def _run_ended(event: RunEnded, run: RunWrites) -> Writes:
    ending = event.ending
    return run.end(ending.status, run.at_ms, {"run.end_reason": ending.reason, "run.error": ending.error})


def _run_reaped(event: RunReaped, run: RunWrites) -> Writes:
    values: dict[str, object] = {"run.end_reason": EndReason.LOST}
    if event.stage is Stage.TRIAL:
        values["trial.state"] = "FAILED"
    return run.end(RunStatus.KILLED, milliseconds(event.last_event_ns), values, event.stage)


RULES: dict[type[Value], Callable[[Any, RunWrites], Writes]] = {
    RunStarted: _run_started,
    ParamsLogged: _params_logged,
    TagsSet: _tags_set,
    ArtifactLogged: _artifact_logged,
    RecordWritten: _record_written,
    RunHeartbeat: _run_heartbeat,
    RunEnded: _run_ended,
    RunReaped: _run_reaped,
    StudyOpened: search.study_opened,
    StudyClosed: search.study_closed,
    TrialStarted: search.trial_started,
    TrialCompleted: search.trial_completed,
    TrialPruned: search.trial_pruned,
    TrialFailed: search.trial_failed,
    FoldStarted: search.fold_started,
    FoldScored: search.fold_scored,
    RefitStarted: search.refit_started,
    RefitLinked: search.refit_linked,
    BenchmarkStarted: product.benchmark_started,
    BenchmarkMeasured: product.benchmark_measured,
    ModelSelected: product.model_selected,
    ChampionChosen: product.champion_chosen,
    FinalTrainingStarted: product.final_training_started,
    FinalTrainingCompleted: product.final_training_completed,
    ConversionStarted: product.conversion_started,
    ModelConverted: product.model_converted,
}
