from __future__ import annotations

import math
import statistics
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.domain.benchmark import (
    BatchTimings,
    BenchmarkConfig,
    Hardware,
    Runtime,
    benchmark_key,
    benchmark_metrics,
    percentile,
    summarise,
)
from studbook.domain.errors import BenchmarkFailed, IdentityError, InvalidInput

DIGEST = "sha256:" + "a" * 64
RUN = "rk3:" + "b" * 64
CPU: dict[str, Any] = {"kind": "cpu", "arch": "x86_64", "cpu": "Example CPU", "threads": 4}
GPU: dict[str, Any] = {"kind": "cuda", "arch": "x86_64", "accelerator": "Example GPU", "accelerators": 1}

durations = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=150)


def test_every_field_of_the_hardware_counts() -> None:
    changes = [
        CPU,
        {**CPU, "arch": "arm64"},
        {**CPU, "cpu": "Other CPU"},
        {**CPU, "threads": 8},
        GPU,
        {**GPU, "kind": "rocm"},
        {**GPU, "accelerator": "Other GPU"},
        {**GPU, "accelerators": 2},
    ]
    assert len({Hardware(**change).key for change in changes}) == len(changes)


def test_cpu_of_an_accelerated_machine_does_not_count() -> None:
    assert Hardware(**GPU, cpu="Example CPU", threads=64) == Hardware(**GPU)


def test_white_space_in_names_is_collapsed() -> None:
    assert Hardware(**{**CPU, "cpu": "  Example\t CPU "}) == Hardware(**CPU)


@pytest.mark.parametrize(
    "given",
    [
        {**CPU, "accelerators": 1},
        {**CPU, "accelerator": "Example GPU"},
        {**GPU, "accelerators": 0},
        {**GPU, "kind": "gpu"},
        {**CPU, "threads": 0},
    ],
)
def test_contradicting_hardware_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        Hardware(**given)


def test_every_field_of_the_configuration_counts() -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"batch_sizes": (1, 8)},
        {"warmup": 0},
        {"iterations": 10},
        {"input": DIGEST},
        {"sequence_length": 128},
        {"precision": "fp16"},
        {"runtime": Runtime(name="onnxruntime", version="1.20")},
        {"runtime": Runtime(name="onnxruntime", version="1.21")},
        {"options": {"beams": 1}},
    ]
    assert len({BenchmarkConfig(**change).key for change in changes}) == len(changes)


def test_order_and_repeats_of_batch_sizes_do_not_count() -> None:
    config = BenchmarkConfig(batch_sizes=(16, 8, 1, 8))
    assert config.batch_sizes == (1, 8, 16)
    assert config.key == BenchmarkConfig(batch_sizes=(1, 16, 8)).key


@pytest.mark.parametrize("sizes", [(), (0, 1), tuple(range(1, 10)), (1.5,)])
def test_batch_sizes_are_one_to_eight_whole_numbers(sizes: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match="batch_sizes"):
        BenchmarkConfig(batch_sizes=sizes)


def test_subject_configuration_and_hardware_make_the_benchmark_key() -> None:
    config, hardware = BenchmarkConfig(), Hardware(**CPU)
    keys = {
        benchmark_key(RUN, config, hardware),
        benchmark_key(DIGEST, config, hardware),
        benchmark_key(RUN, BenchmarkConfig(warmup=1), hardware),
        benchmark_key(RUN, config, Hardware(**GPU)),
    }
    assert len(keys) == 4
    with pytest.raises(IdentityError, match="no benchmark subject"):
        benchmark_key("my-model", config, hardware)


def test_metric_names_of_a_batch_size() -> None:
    assert summarise(8, [1.0, 3.0]) == {
        "latency_batch_8_ms": 2.0,
        "latency_batch_8_p50_ms": 1.0,
        "latency_batch_8_p95_ms": 3.0,
        "latency_batch_8_p99_ms": 3.0,
        "latency_batch_8_std_ms": math.sqrt(2),
        "throughput_batch_8_per_sec": 4000.0,
    }


def test_throughput_is_that_of_the_largest_batch() -> None:
    metrics = benchmark_metrics({8: [2.0], 1: [1.0]})
    assert metrics["throughput_samples_per_sec"] == metrics["throughput_batch_8_per_sec"] == 4000.0
    assert len(metrics) == 13
    assert metrics == benchmark_metrics([BatchTimings(1, (1.0,)), BatchTimings(8, (2.0,))])


@given(durations, st.integers(1, 512))
def test_numbers_of_a_batch_are_those_of_the_definition(values: list[float], size: int) -> None:
    metrics = summarise(size, values)
    head = f"latency_batch_{size}"
    assert all(map(math.isfinite, metrics.values()))
    assert metrics[f"{head}_ms"] == math.fsum(values) / len(values)
    for p in (50, 95, 99):
        rank = math.ceil(Fraction(p * len(values), 100))
        assert metrics[f"{head}_p{p}_ms"] == sorted(values)[rank - 1]
    if len(values) > 1:
        assert metrics[f"{head}_std_ms"] == pytest.approx(statistics.stdev(values), rel=1e-6, abs=1e-9)
    assert metrics[f"throughput_batch_{size}_per_sec"] == pytest.approx(
        1000 * size * len(values) / math.fsum(values)
    )


@given(durations, st.integers(1, 100))
def test_percentile_covers_its_part_and_no_less(values: list[float], p: int) -> None:
    ordered = sorted(values)
    found = percentile(ordered, p)
    assert found in ordered
    assert sum(value <= found for value in ordered) * 100 >= p * len(ordered)
    assert sum(value < found for value in ordered) * 100 < p * len(ordered)


@pytest.mark.parametrize(
    ("calls", "low"), [(1, (95, 99)), (19, (95, 99)), (20, (99,)), (99, (99,)), (100, ())]
)
def test_percentiles_of_few_calls_are_marked(calls: int, low: tuple[int, ...]) -> None:
    assert BatchTimings(1, (1.0,) * calls).low_sample == low


@pytest.mark.parametrize("bad", [(), (1.0, 0.0), (math.nan,), (math.inf,), (-1.0,)])
def test_duration_that_is_none_fails_the_benchmark(bad: tuple[float, ...]) -> None:
    with pytest.raises(BenchmarkFailed, match="batch size 4"):
        BatchTimings(4, bad)
    with pytest.raises(BenchmarkFailed):
        benchmark_metrics({1: [1.0], 4: bad})
