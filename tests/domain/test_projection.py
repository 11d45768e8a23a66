"""Events become store writes by one pure function, and the run reader gives back what they said."""

from __future__ import annotations

import math
import typing
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue
from pydantic.fields import FieldInfo

from studbook.domain import events
from studbook.domain.errors import JournalError
from studbook.domain.events import Envelope, Event
from studbook.domain.keys import DataKey, EvalKey, Key, RunKey, StudyFamilyKey, StudyKey, TrialKey
from studbook.domain.manifest import ArtifactKind, ArtifactManifest, ManifestFile, content_digest
from studbook.domain.product_events import Lineage
from studbook.domain.projection import RULES, project
from studbook.domain.recorded_values import param_text
from studbook.domain.run import Ending, EndReason, RunStatus
from studbook.domain.run_events import (
    ArtifactLogged,
    MetricsLogged,
    ParamsLogged,
    RecordWritten,
    RunReaped,
    RunStarted,
    TagsSet,
)
from studbook.domain.run_reader import read_run
from studbook.domain.run_view import ArtifactState, KeySchema, RunView
from studbook.domain.search_events import FoldScored, StudyOpened, TrialCompleted, TrialPruned
from studbook.domain.stage import Stage
from studbook.domain.store_writes import (
    CreateRun,
    EndRun,
    RecordRun,
    StoreWrite,
    UploadArtifact,
    WriteRecord,
)
from studbook.domain.stored_run import Lifecycle, StoredRun
from studbook.domain.value import Value
from studbook.domain.vocabulary import DEFAULT_VOCABULARY

KINDS: tuple[type[Value], ...] = typing.get_args(typing.get_args(Event)[0])
ON_STAGE = {
    "StudyOpened": Stage.SWEEP,
    "StudyClosed": Stage.SWEEP,
    "TrialStarted": Stage.TRIAL,
    "TrialCompleted": Stage.TRIAL,
    "TrialPruned": Stage.TRIAL,
    "TrialFailed": Stage.TRIAL,
    "FoldStarted": Stage.FOLD,
    "RefitStarted": Stage.REFIT,
    "BenchmarkStarted": Stage.BENCHMARK,
    "ModelSelected": Stage.SELECTION,
    "ChampionChosen": Stage.SELECTION,
    "FinalTrainingStarted": Stage.FINAL_TRAINING,
    "ConversionStarted": Stage.CONVERSION,
}
STARTS = (
    "StudyOpened",
    "TrialStarted",
    "FoldStarted",
    "RefitStarted",
    "BenchmarkStarted",
    "FinalTrainingStarted",
    "ConversionStarted",
)
NAMES = {tag.key: tag.name for tag in DEFAULT_VOCABULARY.tags}


def key(kind: type[Key], digit: str = "a") -> str:
    return f"{kind.KIND}:{digit * 64}"


RUN, PARENT = RunKey(key(RunKey, "1")), RunKey(key(RunKey, "2"))
MS = 1_700_000_000_123

_word = st.text("abcdefgh_", min_size=1, max_size=8)
_digest = st.text("0123456789abcdef", min_size=64, max_size=64).map("sha256:{}".format)
_json: st.SearchStrategy[JsonValue] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_word, inner, max_size=3),
    max_leaves=5,
)
_params = st.dictionaries(_word, _json, max_size=4)
_metrics = st.dictionaries(_word, st.floats(), max_size=4)
_objectives = st.lists(
    st.tuples(_word, st.sampled_from(["maximize", "minimize"])),
    min_size=1,
    max_size=2,
    unique_by=lambda o: o[0],
).map(tuple)
_endings = st.one_of(
    st.just(Ending.finished()),
    st.builds(Ending.failed, error=st.none() | _word),
    st.sampled_from([EndReason.PRUNED, EndReason.TIMEOUT]).map(Ending.killed),
)


def manifest(kind: ArtifactKind = ArtifactKind.MODEL, size: int = 3) -> ArtifactManifest:
    files = (ManifestFile(path="model.bin", size=size, sha256="b" * 64),)
    return ArtifactManifest(
        schema_="studbook.manifest/1",
        name="model",
        kind=kind,
        run_key=RUN,
        stage=Stage.FINAL_TRAINING,
        files=files,
        file_count=1,
        total_size=size,
        content_digest=content_digest(files),
        created_at="2024-01-01T00:00:00.000Z",
        studbook="0.1.0",
    )


_BY_NAME: dict[str, st.SearchStrategy[typing.Any]] = {
    "subject_of_run": _params,
    "params": _params,
    "settings": _params,
    "environment_of_benchmark": _params,
    "metrics": _metrics,
    "values": _metrics,
    "counts": st.dictionaries(st.sampled_from(["trials_total", "pareto_size"]), st.integers(0, 99)),
    "objectives": _objectives,
    "objectives_of_fold": _metrics,
    "manifest": st.builds(manifest, st.sampled_from(ArtifactKind), st.integers(0, 9)).map(
        lambda made: made.model_dump(mode="json", by_alias=True)
    ),
    "ending": _endings,
    "tags": st.dictionaries(_word.map("user/{}".format), _word, max_size=3),
    "content": _json,
    "receipt": _json,
    "data_mode": st.sampled_from(["content", "declared", "undeclared"]),
    "digest": _digest,
    "content_digest": _digest,
    "selection_key": _digest,
}
_SPECIAL = {
    ("RunStarted", "subject"): "subject_of_run",
    ("BenchmarkStarted", "environment"): "environment_of_benchmark",
    ("FoldScored", "objectives"): "objectives_of_fold",
}


def _strategy(kind: type[Value], name: str, field: FieldInfo) -> st.SearchStrategy[typing.Any]:
    named = _BY_NAME.get(_SPECIAL.get((kind.__name__, name), name))
    options = typing.get_args(field.annotation) or (field.annotation,)
    if named is not None:
        return st.none() | named if type(None) in options else named
    return st.one_of([_of_type(option) for option in options])


def _of_type(option: typing.Any) -> st.SearchStrategy[typing.Any]:
    if option is None or option is type(None):
        return st.none()
    if option is Lineage:
        return instances(Lineage)
    if isinstance(option, type) and issubclass(option, Stage):
        return st.sampled_from(Stage)
    if isinstance(option, type) and issubclass(option, Key):
        return st.sampled_from("0123").map(lambda digit: key(option, digit))
    by_type: dict[object, st.SearchStrategy[typing.Any]] = {
        str: _word,
        int: st.integers(1, 10**18),
        float: st.floats(),
        bool: st.booleans(),
    }
    return by_type[option] if option in by_type else st.just(option)


def instances(kind: type[Value]) -> st.SearchStrategy[Value]:
    """Any value of the kind: every field is drawn."""
    fields = {
        name: _strategy(kind, name, field) for name, field in kind.model_fields.items() if name != "kind"
    }
    return st.fixed_dictionaries(fields).map(kind.model_validate)


def envelope(event: Value, at_ns: int = MS * 1_000_000, run: RunKey | None = RUN) -> Envelope:
    return Envelope.model_validate(
        {"writer": "w1", "sequence": 7, "occurred_at_ns": at_ns, "run_key": run, "event": event}
    )


def tags_of(write: StoreWrite) -> dict[str, str]:
    match write:
        case RecordRun():
            return write.batch.tags
        case WriteRecord():
            return {}
        case _:
            return write.tags


def test_every_event_has_a_rule_or_is_a_fact_of_this_machine() -> None:
    assert set(KINDS) - set(RULES) == {events.ArtifactAcquired, events.DeliveryRefused}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(data=st.data(), at_ns=st.integers(-(10**15), 4 * 10**18))
def test_any_event_gives_declared_tags_its_own_time_and_the_same_again(
    kind: type[Value], data: st.DataObject, at_ns: int
) -> None:
    event = data.draw(instances(kind))
    sent = envelope(event, at_ns)
    writes = project(sent)
    replayed = Envelope.model_validate_json(sent.model_dump_json())
    assert repr(project(replayed)) == repr(writes)  # by text, since NaN equals nothing

    for write in writes:
        stage = ON_STAGE.get(kind.__name__) or getattr(event, "stage", None)
        for tag, text in tags_of(write).items():
            if isinstance(event, TagsSet):
                assert event.tags[tag] == text
            else:
                assert DEFAULT_VOCABULARY.carries(NAMES[tag], stage)
                assert tag != "mlflow.parentRunId"
        if isinstance(write, RecordRun):
            assert {point.timestamp_ms for point in write.batch.metrics} <= {at_ns // 10**6}
            assert write.batch, "an empty record is not worth a request"
        assert write.run_key in {RUN, getattr(event, "fold_run", None)}


@pytest.mark.parametrize("name", STARTS)
@given(data=st.data())
def test_the_opening_of_a_run_carries_what_its_stage_requires(name: str, data: st.DataObject) -> None:
    stage = ON_STAGE[name]
    event = data.draw(instances(getattr(events, name)))
    if hasattr(event, "lineage"):
        event = event.model_copy(update={"lineage": Lineage(source="refit", model_family="svm")})
    said = read_tags(*project(envelope(started(stage))), *project(envelope(event)))
    assert DEFAULT_VOCABULARY.required(stage) <= {NAMES[tag] for tag in said}


def read_tags(*writes: StoreWrite) -> dict[str, str]:
    return {tag: text for write in writes for tag, text in tags_of(write).items()}


def started(stage: Stage, **fields: object) -> RunStarted:
    return RunStarted.model_validate(
        {
            "project": "demo",
            "stage": stage,
            "subject": {},
            "attempt": 2,
            "name": "n",
            "experiment": "demo-hpo",
            "parent": None if stage is Stage.SWEEP else PARENT,
            "version": "0.1.0",
            **fields,
        }
    )


def test_a_run_is_created_with_its_identity_which_is_recorded_once_more() -> None:
    create, record = project(envelope(started(Stage.TRIAL, created_by="me")))
    assert isinstance(create, CreateRun)
    assert isinstance(record, RecordRun)
    assert (create.started_at_ms, create.parent, create.experiment) == (MS, PARENT, "demo-hpo")
    assert create.tags == record.batch.tags
    assert create.tags["studbook.run_key"] == RUN
    assert create.tags["studbook.schema"] == "3"
    assert create.tags["studbook.writer"] == "w1"
    assert create.tags["studbook.created_by"] == "me"
    assert "studbook.created_by" not in read_tags(*project(envelope(started(Stage.TRIAL))))


def test_times_are_floored_to_milliseconds() -> None:
    (record,) = project(envelope(MetricsLogged(metrics={"m": 1.0}, step=3), at_ns=1_999_999))
    assert isinstance(record, RecordRun)
    (point,) = record.batch.metrics
    assert (point.name, point.value, point.timestamp_ms, point.step) == ("m", 1.0, 1, 3)


def test_settings_that_are_null_are_left_out_and_params_that_are_null_are_not() -> None:
    opened = StudyOpened(
        study_key=StudyKey(key(StudyKey)),
        family_key=StudyFamilyKey(key(StudyFamilyKey)),
        data_key=DataKey(key(DataKey)),
        eval_key=EvalKey(key(EvalKey)),
        data_mode="declared",
        name="digits",
        model_family="svm",
        objectives=(("macro_f1", "maximize"), ("loss", "minimize")),
        refit_planned=True,
        session=1,
        settings={"n_trials": 40, "timeout_s": None},
    )
    (record,) = project(envelope(opened))
    assert isinstance(record, RecordRun)
    assert record.batch.params == {
        "n_trials": "40",
        "study_name": "digits",
        "model_family": "svm",
        "objectives": "macro_f1:maximize, loss:minimize",
        "session": "1",
    }
    (logged,) = project(envelope(ParamsLogged(params={"a": None, "b": True, "c": 1e-5})))
    assert isinstance(logged, RecordRun)
    assert logged.batch.params == {"a": "null", "b": "true", "c": "0.00001"}


def test_a_fold_is_scored_on_the_trial_and_on_its_own_run() -> None:
    scored = FoldScored(
        index=1,
        digest=None,
        metrics={"f1": 0.5, "loss": 2.0},
        objectives={"f1": 0.5},
        fold_run=PARENT,
        last_step=9,
    )
    on_fold, on_trial = project(envelope(scored))
    assert isinstance(on_fold, RecordRun)
    assert isinstance(on_trial, RecordRun)
    assert (on_fold.run_key, on_trial.run_key) == (PARENT, RUN)
    assert {(p.name, p.value, p.step) for p in on_fold.batch.metrics} == {("f1", 0.5, 9), ("loss", 2.0, 9)}
    assert [(p.name, p.value) for p in on_trial.batch.metrics] == [("f1_fold_1", 0.5)]
    assert len(project(envelope(scored.model_copy(update={"fold_run": None})))) == 1


def test_a_duplicate_writes_nothing() -> None:
    trial = TrialKey(key(TrialKey))
    completed = TrialCompleted(number=1, trial_key=trial, values={"f1": 1.0}, metrics={}, duplicate_of=PARENT)
    pruned = TrialPruned(number=1, trial_key=trial, step=1, duplicate_of=PARENT)
    assert project(envelope(completed)) == project(envelope(pruned)) == ()


def test_a_reaped_run_ends_with_its_last_event_and_a_trial_has_failed() -> None:
    reaped = RunReaped(reason="the writer died", last_event_ns=5_999_999, stage=Stage.TRIAL)
    (end,) = project(envelope(reaped))
    assert end == EndRun(
        RUN, RunStatus.KILLED, 5, {"studbook.end_reason": "lost", "studbook.trial_state": "FAILED"}
    )


@pytest.mark.parametrize("kind", ArtifactKind)
def test_an_upload_tags_its_digest_by_kind(kind: ArtifactKind) -> None:
    made = manifest(kind)
    logged = ArtifactLogged(manifest=made.model_dump(mode="json", by_alias=True), pin="pins/1", required=True)
    (upload,) = project(envelope(logged))
    assert isinstance(upload, UploadArtifact)
    assert (upload.manifest, upload.pin, upload.required) == (made, "pins/1", True)
    expected = {} if kind is ArtifactKind.ANY else {f"studbook.artifact.{kind}": made.content_digest}
    assert upload.tags == expected


def test_a_record_lies_among_the_service_files() -> None:
    (write,) = project(envelope(RecordWritten(name="lineage", content=[1], digest="sha256:" + "a" * 64)))
    assert write == WriteRecord(RUN, "studbook/records/lineage.json", [1])


@pytest.mark.parametrize("sent", [MetricsLogged(metrics={"m": 1.0}), ArtifactLogged(manifest={}, pin="p")])
def test_an_event_that_cannot_be_projected_says_so(sent: Value) -> None:
    with pytest.raises(JournalError):
        project(envelope(sent, run=RUN if isinstance(sent, ArtifactLogged) else None))


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


@given(instances(events.TrialStarted), st.lists(st.floats(0, 1), min_size=1, max_size=4))
def test_a_trial_is_read_as_it_was_told(event: events.TrialStarted, scores: list[float]) -> None:
    name = event.objectives[0][0]
    folds = [
        FoldScored(index=i, digest=None, metrics={name: score}, objectives={name: score})
        for i, score in enumerate(scores)
    ]
    values = {name: math.fsum(scores)}
    done = TrialCompleted(
        number=event.number, trial_key=event.trial_key, values=values, metrics={"other": 2.0}
    )
    view = view_of(started(Stage.TRIAL), event, *folds, done, events.RunEnded(ending=Ending.finished()))
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


@given(instances(events.RefitStarted), _endings)
def test_a_refit_is_read_as_it_was_told(event: events.RefitStarted, ending: Ending) -> None:
    logged = ArtifactLogged(
        manifest=manifest(ArtifactKind.CHECKPOINT).model_dump(mode="json", by_alias=True), pin="p"
    )
    view = view_of(started(Stage.REFIT), event, logged, events.RunEnded(ending=ending))
    assert (view.refit_of, view.protocol_fp) == (event.trial_run, event.protocol)
    assert (view.trial_key, view.params) == (event.trial_key, event.params)
    assert (view.status, view.end_reason) == (ending.status, ending.reason)
    assert view.artifact_state is ArtifactState.AVAILABLE
    assert view.artifacts == {"checkpoint": manifest().content_digest}


@given(instances(events.BenchmarkStarted))
def test_a_benchmark_is_read_as_it_was_told(event: events.BenchmarkStarted) -> None:
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


@given(instances(events.FinalTrainingStarted))
def test_a_final_training_is_read_as_it_was_told(event: events.FinalTrainingStarted) -> None:
    view = view_of(started(Stage.FINAL_TRAINING), event)
    assert view.params == event.params
    assert (view.family, view.study_key) == (event.lineage.model_family, event.lineage.study_key)
