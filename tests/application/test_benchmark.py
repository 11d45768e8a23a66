"""Benchmarks: opened before the first call, made once, FAILED when the measured function is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from studbook.adapters.memory.artifact_store import MemoryArtifactStore
from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.memory.machine import FixedMachine
from studbook.application.train_context import TrainContext
from studbook.domain.benchmark import Hardware
from studbook.domain.data import content_digest_of
from studbook.domain.errors import AcquisitionFailed, BenchmarkFailed, InvalidInput, RefitMissing
from studbook.domain.run import RunStatus
from studbook.domain.run_view import RunView
from studbook.domain.search_space import float_range
from studbook.domain.selection.refit_mapping import RefitMapping
from studbook.domain.stage import Stage
from studbook.domain.study import maximize
from studbook.entrypoints.studbook import Studbook
from studbook.entrypoints.sweep_handle import Sweep

BATCHES = {1: b"one", 4: b"four"}
GPU = FixedMachine(Hardware(kind="cuda", accelerator="Test GPU", accelerators=1, arch="x86_64"))


def save(context: TrainContext) -> float:
    (context.output_dir / "config.json").write_text("{}")
    (context.output_dir / "model.bin").write_bytes(b"weights")
    return 0.5


def swept(book: Studbook) -> Sweep:
    return book.sweep(
        "s", save, space={"x": float_range(0, 1)}, objective=maximize("f1"), trials=1, family="svm"
    )


def refitted(book: Studbook) -> RefitMapping:
    return swept(book).refit()


def benchmarks(book: Studbook) -> list[RunView]:
    return sorted(book.container.catalog().find([Stage.BENCHMARK]), key=lambda run: run.attempt)


@pytest.fixture
def predict(clock: ManualClock) -> Callable[[object], None]:
    """2 ms for one sample and 1 ms for each further one."""

    def run(batch: object) -> None:
        clock.advance(0.002 if batch == b"one" else 0.005)

    return run


def test_the_numbers_are_metrics_of_a_finished_run(book: Studbook, predict: Callable[[object], None]) -> None:
    run = book.benchmark(refitted(book), predict, BATCHES, iterations=5)
    assert (run.stage, run.status, run.parent) == (Stage.BENCHMARK, RunStatus.FINISHED, None)
    expected: dict[str, float] = {}
    for size, ms in ((1, 2.0), (4, 5.0)):
        expected |= {f"latency_batch_{size}_{what}ms": ms for what in ("", "p50_", "p95_", "p99_")}
        expected |= {
            f"latency_batch_{size}_std_ms": 0.0,
            f"throughput_batch_{size}_per_sec": 1000 * size / ms,
        }
    assert run.metrics == pytest.approx({**expected, "throughput_samples_per_sec": 800.0})


def test_settings_and_subject_are_recorded(book: Studbook, predict: Callable[[object], None]) -> None:
    mapping = refitted(book)
    run = book.benchmark(
        mapping,
        predict,
        BATCHES,
        iterations=5,
        warmup=2,
        sequence_length=128,
        precision="fp16",
        runtime=("onnxruntime", "1.20"),
    )
    stored = book.container.tracking_store().get_run(run.run_id)
    assert stored.params == {
        "benchmark_batch_sizes": "[1,4]",
        "benchmark_iterations": "5",
        "benchmark_warmup_iterations": "2",
        "benchmark_sequence_length": "128",
        "benchmark_device": "cpu",
        "benchmark_precision": "fp16",
        "benchmark_runtime": "onnxruntime 1.20",
    }
    assert (run.subject, run.family) == (mapping.refit, "svm")
    refit = book.find(str(mapping.refit))
    assert run.lineage == {
        "source": "refit",
        "refit": mapping.refit,
        "trial": mapping.trial,
        "sweep": refit.parent,
        "parent": mapping.refit,
    }
    assert (run.study_key, run.trial_key) == (refit.study_key, refit.trial_key)


def test_the_environment_is_what_numbers_can_be_compared_by(
    book: Studbook, predict: Callable[[object], None]
) -> None:
    mapping = refitted(book)
    plain = book.benchmark(mapping, predict, BATCHES, iterations=1)
    hardware = book.container.machine().hardware()
    assert plain.environment == {
        "hardware": str(hardware.key),
        "device": "cpu",
        "precision": "unspecified",
        "sequence_length": "unspecified",
        "runtime": "unspecified",
        "data_fp": content_digest_of({"1": b"one", "4": b"four"}),
    }
    unknown = book.benchmark(mapping, predict, {1: object()}, iterations=1)
    assert "data_fp" not in unknown.environment


def test_the_report_holds_every_latency_and_the_machine(
    book: Studbook, predict: Callable[[object], None]
) -> None:
    run = book.benchmark(refitted(book), predict, BATCHES, iterations=5)
    store = book.container.artifact_store()
    assert isinstance(store, MemoryArtifactStore)
    report = json.loads(store.read(run.run_id, "benchmark/benchmark.json"))
    assert report["machine"] == {"os": "Test OS"}
    assert report["hardware"]["cpu"] == "Test CPU"
    assert report["configuration"]["iterations"] == 5
    assert report["batches"]["4"] == {
        "n": 5,
        "min_ms": 5.0,
        "max_ms": 5.0,
        "low_sample": True,
        "latencies_ms": [5.0] * 5,
    }
    assert report["warnings"] == []


def test_batch_sizes_are_measured_ascending_from_a_function(book: Studbook, clock: ManualClock) -> None:
    seen: list[object] = []

    def predict(batch: object) -> None:
        seen.append(batch)
        clock.advance(0.001)

    book.benchmark(
        refitted(book), predict, lambda size: size, batch_sizes=[8, 1, 8, 2], warmup=0, iterations=1
    )
    assert seen == [1, 2, 8]


def test_a_benchmark_is_made_once(
    open_book: Callable[..., Studbook], predict: Callable[[object], None]
) -> None:
    book = open_book()
    mapping = refitted(book)
    first = book.benchmark(mapping, predict, BATCHES, iterations=2)
    again = open_book().benchmark(mapping, lambda batch: pytest.fail("measured again"), BATCHES, iterations=2)
    assert again.ref == first.ref
    other = book.benchmark(mapping, predict, BATCHES, iterations=3)
    assert other.ref != first.ref
    assert len(benchmarks(book)) == 2


def test_other_hardware_is_another_benchmark(
    open_book: Callable[..., Studbook], predict: Callable[[object], None]
) -> None:
    mapping = refitted(open_book())
    first = open_book().benchmark(mapping, predict, BATCHES, iterations=1)
    second = open_book(machine=GPU).benchmark(mapping, predict, BATCHES, iterations=1)
    assert first.benchmark_key != second.benchmark_key


def test_force_measures_again_as_the_next_attempt(book: Studbook, predict: Callable[[object], None]) -> None:
    mapping = refitted(book)
    first = book.benchmark(mapping, predict, BATCHES, iterations=1)
    second = book.benchmark(mapping, predict, BATCHES, iterations=1, force=True)
    assert [run.attempt for run in benchmarks(book)] == [1, 2]
    assert second.ref == benchmarks(book)[1].ref
    assert first.benchmark_key == second.benchmark_key
    assert book.benchmark(mapping, predict, BATCHES, iterations=1).ref == second.ref


def test_a_deleted_benchmark_is_made_again(book: Studbook, predict: Callable[[object], None]) -> None:
    mapping = refitted(book)
    first = book.benchmark(mapping, predict, BATCHES, iterations=1)
    book.container.tracking_store().delete_run(first.run_id)
    assert book.benchmark(mapping, predict, BATCHES, iterations=1).attempt == 2


def test_a_raising_function_leaves_a_failed_run_and_no_numbers(book: Studbook, clock: ManualClock) -> None:
    mapping = refitted(book)
    running: list[RunStatus] = []
    sizes: list[object] = []

    def predict(batch: object) -> None:
        running.extend(run.status for run in benchmarks(book))
        sizes.append(batch)
        raise ValueError("wrong shape")

    with pytest.raises(BenchmarkFailed, match="ValueError: wrong shape") as caught:
        book.benchmark(mapping, predict, BATCHES)
    assert caught.value.cure
    [run] = benchmarks(book)
    assert running == [RunStatus.RUNNING]
    assert sizes == [b"one"]
    assert (run.status, run.end_reason, run.error) == (RunStatus.FAILED, "error", "ValueError: wrong shape")
    assert run.metrics == {}
    done = book.benchmark(mapping, lambda batch: clock.advance(0.001), BATCHES)
    assert (done.attempt, done.status) == (2, RunStatus.FINISHED)


def test_a_duration_of_nothing_is_a_failure(book: Studbook) -> None:
    with pytest.raises(BenchmarkFailed, match="took 0"):
        book.benchmark(refitted(book), lambda batch: None, BATCHES)
    [run] = benchmarks(book)
    assert run.status is RunStatus.FAILED


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(0)])
def test_an_interruption_kills_the_benchmark_and_passes_on(book: Studbook, error: BaseException) -> None:
    mapping = refitted(book)

    def predict(batch: object) -> None:
        raise error

    with pytest.raises(type(error)):
        book.benchmark(mapping, predict, BATCHES)
    [run] = benchmarks(book)
    assert (run.status, run.end_reason) == (RunStatus.KILLED, "interrupted")


@pytest.mark.parametrize(
    ("batches", "sizes", "words"),
    [
        (BATCHES, [1, 2, 8], r"no batch of size \[2, 8\]"),
        (BATCHES, [], "cannot be measured"),
        (BATCHES, [0], "cannot be measured"),
        ({}, None, "cannot be measured"),
        (dict.fromkeys(range(1, 10), b""), None, "cannot be measured"),
    ],
)
def test_batches_that_are_missing_are_told_before_anything_runs(
    book: Studbook, batches: dict[int, object], sizes: list[int] | None, words: str
) -> None:
    with pytest.raises(InvalidInput, match=words) as caught:
        book.benchmark(refitted(book), lambda batch: None, batches, batch_sizes=sizes)
    assert caught.value.cure
    assert benchmarks(book) == []


@pytest.mark.parametrize("changes", [{"warmup": -1}, {"iterations": 0}])
def test_impossible_counts_are_refused(book: Studbook, changes: dict[str, int]) -> None:
    with pytest.raises(InvalidInput):
        book.benchmark(refitted(book), lambda batch: None, BATCHES, **changes)  # type: ignore[arg-type]
    assert benchmarks(book) == []


def test_the_model_is_loaded_from_the_verified_files(book: Studbook, clock: ManualClock) -> None:
    def load(folder: Path) -> bytes:
        return (folder / "model.bin").read_bytes()

    seen = set()

    def predict(model: bytes, batch: object) -> None:
        seen.add((model, batch))
        clock.advance(0.001)

    book.benchmark(refitted(book), predict, BATCHES, load=load, iterations=1)
    assert seen == {(b"weights", b"one"), (b"weights", b"four")}


def test_the_model_of_a_final_training_is_loaded_from_its_model(book: Studbook, clock: ManualClock) -> None:
    final = book.final_training(save, family="svm", params={"x": 1})

    def predict(model: Path, batch: object) -> None:
        assert (model / "model.bin").is_file()
        clock.advance(0.001)

    run = book.benchmark(final, predict, BATCHES, load=lambda folder: folder, iterations=1)
    assert run.subject == final.ref


def test_files_that_cannot_be_had_are_not_measured(book: Studbook) -> None:
    trial = book.find(swept(book).best.run_key)
    with pytest.raises(AcquisitionFailed):
        book.benchmark(trial, lambda model, batch: None, BATCHES, load=lambda folder: folder)
    assert benchmarks(book) == []


def test_a_mapping_without_a_refit_measures_nothing(book: Studbook) -> None:
    with pytest.raises(RefitMissing, match="has no refit"):
        book.benchmark(replace(refitted(book), refit=None), lambda batch: None, BATCHES)
    assert benchmarks(book) == []


def test_a_trial_is_measured_only_on_request(book: Studbook, predict: Callable[[object], None]) -> None:
    best = swept(book).best
    run = book.benchmark(best.run_key, predict, BATCHES, iterations=1)
    assert run.subject == best.run_key


@pytest.mark.parametrize("synchronize", [None, lambda: None])
def test_a_device_that_nobody_waits_for_is_warned_of(
    open_book: Callable[..., Studbook],
    predict: Callable[[object], None],
    synchronize: Callable[[], None] | None,
) -> None:
    book = open_book(machine=GPU)
    mapping = refitted(book)
    with capture_logs() as logs:
        run = book.benchmark(mapping, predict, BATCHES, iterations=1, synchronize=synchronize)
    warned = [log["event"] for log in logs if log["log_level"] == "warning"]
    expected = [] if synchronize else ["NOT_SYNCHRONIZED"]
    assert warned == expected
    report = json.loads(book.container.artifact_store().read(run.run_id, "benchmark/benchmark.json"))
    assert report["warnings"] == expected
    assert run.environment["device"] == "cuda"
