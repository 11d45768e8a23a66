"""What the events that end something write, in full."""

from __future__ import annotations

import pytest

from generated_events import (
    MS,
    NAMES,
    RUN,
    envelope,
    key,
)
from studbook.domain.keys import (
    BenchmarkKey,
    ConversionKey,
    StudyKey,
    TrialKey,
)
from studbook.domain.product_events import (
    BenchmarkMeasured,
    ChampionChosen,
    Lineage,
    ModelConverted,
    ModelSelected,
)
from studbook.domain.projection import project
from studbook.domain.run import Ending, RunStatus
from studbook.domain.run_events import (
    RunEnded,
    RunHeartbeat,
)
from studbook.domain.search_events import (
    StudyClosed,
    TrialCompleted,
    TrialFailed,
    TrialPruned,
)
from studbook.domain.store_writes import (
    EndRun,
    RecordRun,
)
from studbook.domain.value import Value


def recorded(event: Value) -> tuple[dict[str, str], dict[str, str], set[tuple[str, float, int]]]:
    """Tags by name, params and (metric, value, step) of the one record that the event gives."""
    (record,) = project(envelope(event))
    assert isinstance(record, RecordRun)
    batch = record.batch
    tags = {NAMES[tag]: text for tag, text in batch.tags.items()}
    return tags, batch.params, {(point.name, point.value, point.step) for point in batch.metrics}


DIGEST = "sha256:" + "c" * 64


@pytest.mark.parametrize(
    ("event", "tags", "params", "metrics"),
    [
        (
            TrialCompleted(
                number=1,
                trial_key=TrialKey(key(TrialKey)),
                values={"f1": 0.5},
                metrics={"f1_se": 0.1},
                last_step=9,
            ),
            {"trial.state": "COMPLETE"},
            {},
            {("f1", 0.5, 9), ("f1_se", 0.1, 9)},
        ),
        (
            TrialPruned(number=1, trial_key=TrialKey(key(TrialKey)), step=4, folds_scored=2),
            {"trial.state": "PRUNED"},
            {},
            {("pruned_at_step", 4.0, 0), ("folds_scored", 2.0, 0)},
        ),
        (
            TrialPruned(number=1, trial_key=TrialKey(key(TrialKey)), step=4),
            {"trial.state": "PRUNED"},
            {},
            {("pruned_at_step", 4.0, 0)},
        ),
        (
            TrialFailed(number=1, trial_key=TrialKey(key(TrialKey)), reason="error"),
            {"trial.state": "FAILED"},
            {},
            set(),
        ),
        (
            StudyClosed(
                outcome="timeout",
                counts={"trials_total": 3, "trials_failed": 1},
                best_trial=TrialKey(key(TrialKey)),
                best_run=RUN,
            ),
            {
                "sweep.outcome": "timeout",
                "sweep.best_trial_key": key(TrialKey),
                "sweep.best_run_key": RUN,
            },
            {},
            {("trials_total", 3.0, 0), ("trials_failed", 1.0, 0)},
        ),
        (
            BenchmarkMeasured(
                benchmark_key=BenchmarkKey(key(BenchmarkKey)), metrics={"latency_batch_1_ms": 2.5}
            ),
            {},
            {},
            {("latency_batch_1_ms", 2.5, 0)},
        ),
        (
            ModelSelected(
                selection_key=DIGEST,
                policy="accuracy_latency",
                winner_trial="rk3:t",
                winner_refit="rk3:r",
                settings={"candidates_read": 4},
                metrics={"score": 0.7},
                lineage=Lineage(
                    source="refit", study_key=StudyKey(key(StudyKey)), model_family="svm", refit=RUN
                ),
            ),
            {
                "selection.key": DIGEST,
                "selection.policy": "accuracy_latency",
                "selection.winner": "rk3:t",
                "selection.winner_refit": "rk3:r",
                "study.key": key(StudyKey),
            },
            {"candidates_read": "4", "policy": "accuracy_latency"},
            {("score", 0.7, 0)},
        ),
        (
            ChampionChosen(pointer="production", generation=2, nonce="n", ref="rk3:s", previous=1),
            {
                "pointer.name": "production",
                "pointer.generation": "2",
                "pointer.nonce": "n",
                "pointer.ref": "rk3:s",
                "pointer.previous": "1",
            },
            {},
            set(),
        ),
        (
            ModelConverted(
                conversion_key=ConversionKey(key(ConversionKey)),
                format="onnx",
                content_digest=DIGEST,
                size_bytes=10,
                metrics={"size_ratio": 0.5},
            ),
            {},
            {},
            {("size_ratio", 0.5, 0), ("model_size_bytes", 10.0, 0)},
        ),
        (RunHeartbeat(), {"run.last_seen": "2023-11-14T22:13:20.123Z"}, {}, set()),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Value) else "",
)
def test_what_an_outcome_writes(
    event: Value, tags: dict[str, str], params: dict[str, str], metrics: set[tuple[str, float, int]]
) -> None:
    assert recorded(event) == (tags, params, metrics)


def test_an_end_carries_its_reason_and_error() -> None:
    (end,) = project(envelope(RunEnded(ending=Ending.failed(error="ValueError: x"))))
    assert end == EndRun(
        RUN, RunStatus.FAILED, MS, {"studbook.end_reason": "error", "studbook.error": "ValueError: x"}
    )
    (end,) = project(envelope(RunEnded(ending=Ending.finished())))
    assert end == EndRun(RUN, RunStatus.FINISHED, MS, {})
