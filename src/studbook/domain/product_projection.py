"""What follows a search in a store: benchmarks, selections, final trainings and conversions."""

from __future__ import annotations

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
from .run_writes import RunWrites, param_texts, setting_texts
from .stage import Stage
from .store_writes import StoreWrite

Writes = tuple[StoreWrite, ...]


def benchmark_started(event: BenchmarkStarted, run: RunWrites) -> Writes:
    """What is measured, on what."""
    tags = {
        "benchmark.key": event.benchmark_key,
        "benchmark.config": event.config,
        "benchmark.hardware": event.hardware,
        "benchmark.subject": event.subject,
        "benchmark.environment": event.environment,
    }
    return run.record(
        tags={**run.lineage(Stage.BENCHMARK, event.lineage), **run.tags(Stage.BENCHMARK, tags)},
        params=setting_texts(event.settings),
    )


def benchmark_measured(event: BenchmarkMeasured, run: RunWrites) -> Writes:
    """The numbers."""
    return run.record(metrics=event.metrics)


def model_selected(event: ModelSelected, run: RunWrites) -> Writes:
    """The decision: what it rests on, by which policy, and who won."""
    tags = {
        "selection.key": event.selection_key,
        "selection.policy": event.policy,
        "selection.winner": event.winner_trial,
        "selection.winner_refit": event.winner_refit,
    }
    return run.record(
        tags={**run.lineage(Stage.SELECTION, event.lineage), **run.tags(Stage.SELECTION, tags)},
        params=setting_texts({**event.settings, "policy": event.policy}),
        metrics=event.metrics,
    )


def champion_chosen(event: ChampionChosen, run: RunWrites) -> Writes:
    """One generation of a pointer."""
    tags = {
        "pointer.name": event.pointer,
        "pointer.generation": event.generation,
        "pointer.nonce": event.nonce,
        "pointer.ref": event.ref,
        "pointer.previous": event.previous,
    }
    return run.record(tags=run.tags(Stage.SELECTION, tags))


def final_training_started(event: FinalTrainingStarted, run: RunWrites) -> Writes:
    """What is trained, on what, and from what."""
    tags = {
        "training.spec": event.spec,
        "training.exec": event.exec,
        "training.variant": event.variant,
        "training.full_data": event.full_data,
        "data.fingerprint": event.data_key,
        "data.mode": event.data_mode,
        "data.name": event.data_name,
        "eval.fingerprint": event.eval_key,
        "trial.params": event.params,
    }
    settings = {**event.settings, "training_variant": event.variant}
    return run.record(
        tags={**run.lineage(Stage.FINAL_TRAINING, event.lineage), **run.tags(Stage.FINAL_TRAINING, tags)},
        params={**setting_texts(settings), **param_texts(event.params)},
    )


def final_training_completed(event: FinalTrainingCompleted, run: RunWrites) -> Writes:
    """Nothing: the model's digest is tagged when its files are stored."""
    del event, run
    return ()


def conversion_started(event: ConversionStarted, run: RunWrites) -> Writes:
    """What is converted, to what."""
    tags = {"conversion.key": event.conversion_key, "conversion.format": event.format}
    return run.record(
        tags={**run.lineage(Stage.CONVERSION, event.lineage), **run.tags(Stage.CONVERSION, tags)},
        params=setting_texts({**event.settings, "conversion_format": event.format}),
    )


def model_converted(event: ModelConverted, run: RunWrites) -> Writes:
    """The size, in bytes, and the checks."""
    return run.record(metrics={**event.metrics, "model_size_bytes": float(event.size_bytes)})
