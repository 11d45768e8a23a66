"""Events become store writes by one pure function."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generated_events import (
    ENVELOPE,
    KINDS,
    MS,
    NAMES,
    PARENT,
    RUN,
    envelope,
    instances,
    key,
    manifest,
    started,
    tags_of,
)
from studbook.domain import events
from studbook.domain.errors import JournalError, TagConflict
from studbook.domain.keys import (
    DataKey,
    EvalKey,
    StudyFamilyKey,
    StudyKey,
    TrialKey,
)
from studbook.domain.manifest import ArtifactKind
from studbook.domain.product_events import (
    Lineage,
)
from studbook.domain.projection import RULES, project
from studbook.domain.run import RunStatus
from studbook.domain.run_events import (
    ArtifactAcquired,
    ArtifactLogged,
    DeliveryRefused,
    MetricsLogged,
    ParamsLogged,
    RecordWritten,
    RefusalDismissed,
    RunReaped,
    TagsSet,
)
from studbook.domain.search_events import (
    FoldScored,
    StudyOpened,
    TrialCompleted,
    TrialPruned,
)
from studbook.domain.stage import Stage
from studbook.domain.store_writes import (
    CreateRun,
    EndRun,
    RecordRun,
    StoreWrite,
    UploadArtifact,
    WriteRecord,
)
from studbook.domain.value import Value
from studbook.domain.vocabulary import DEFAULT_VOCABULARY

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


@pytest.mark.parametrize("name", ["run.stage", "run.writer", "study.key", "trial.params", "benchmark.key"])
def test_what_a_run_is_is_never_rewritten(name: str) -> None:
    key_of_tag = DEFAULT_VOCABULARY.key(name)
    with pytest.raises(TagConflict, match=key_of_tag):
        project(envelope(TagsSet(tags={"note": "mine", key_of_tag: "other"})))


def test_a_run_that_gets_another_key_is_told() -> None:
    tags = {DEFAULT_VOCABULARY.key("run.key"): str(PARENT), DEFAULT_VOCABULARY.key("run.attempt"): "2"}
    (write,) = project(envelope(TagsSet(tags=tags)))
    assert tags_of(write) == tags


def test_every_event_has_a_rule_or_is_a_fact_of_this_machine() -> None:
    assert set(KINDS) - set(RULES) == {ArtifactAcquired, DeliveryRefused, MetricsLogged, RefusalDismissed}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(data=st.data(), at_ns=st.integers(-(10**15), 4 * 10**18))
def test_any_event_gives_declared_tags_its_own_time_and_the_same_again(
    kind: type[Value], data: st.DataObject, at_ns: int
) -> None:
    event = data.draw(instances(kind))
    sent = envelope(event, at_ns)
    writes = project(sent)
    replayed = ENVELOPE.validate_json(ENVELOPE.dump_json(sent))
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
