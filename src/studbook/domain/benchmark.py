"""Benchmarks: what is measured on what, and the numbers of a measurement."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from .aggregate import mean, sample_std
from .canonical import unordered
from .checked import Checked, invalid
from .errors import BenchmarkFailed, IdentityError
from .fields import Free, Integer, OptionalDigest, OptionalInteger, is_digest
from .keys import BenchmarkConfigKey, BenchmarkKey, HardwareKey, RunKey

DeviceKind = Literal["cpu", "cuda", "rocm", "mps", "xpu", "tpu", "other"]

MAX_BATCH_SIZES = 8
_ENOUGH = {50: 1, 95: 20, 99: 100}


def _collapsed(text: object) -> object:
    return " ".join(text.split()) if isinstance(text, str) else text


CollapsedText = Annotated[str, BeforeValidator(_collapsed)]
OptionalText = Annotated[str | None, BeforeValidator(_collapsed)]


class Hardware(Checked):
    """What a benchmark's numbers depend on. `cpu` and `threads` count only where the CPU does the work.

    `accelerators` is the number used; white space in names is collapsed.
    """

    kind: DeviceKind
    accelerator: OptionalText = None
    accelerators: Integer = Field(0, ge=0)
    arch: CollapsedText
    cpu: OptionalText = None
    threads: OptionalInteger = Field(None, ge=1)

    @field_validator("cpu", "threads")
    @classmethod
    def _of_a_cpu(cls, value: str | int | None, info: ValidationInfo) -> str | int | None:
        return value if info.data.get("kind") == "cpu" else None

    def model_post_init(self, _context: object, /) -> None:
        if (self.kind == "cpu") != (self.accelerators == 0):
            raise invalid(
                f"kind {self.kind} with {self.accelerators} accelerators",
                "kind `cpu` uses none, every other kind at least one",
            )
        if self.kind == "cpu" and self.accelerator is not None:
            raise invalid("kind `cpu` has no accelerator", "leave `accelerator` out, or name its kind")

    def payload(self) -> dict[str, Any]:
        """What the key is made of."""
        return {
            "kind": self.kind,
            "accelerator": self.accelerator,
            "accelerators": self.accelerators,
            "arch": self.arch,
            "cpu": self.cpu,
            "threads": self.threads,
        }

    @property
    def key(self) -> HardwareKey:
        """The hardware's identity: equal for machines whose numbers can be compared."""
        return HardwareKey.of(self.payload())


class Runtime(Checked):
    """The library that runs the model."""

    name: str = Field(min_length=1)
    version: str = Field(min_length=1)

    def payload(self) -> dict[str, Any]:
        """What the key takes of it."""
        return {"name": self.name, "version": self.version}


class BenchmarkConfig(Checked):
    """What is measured: batch sizes (ascending, at most 8), calls, input and how the model runs."""

    batch_sizes: tuple[Integer, ...] = Field((1,), min_length=1)
    warmup: Integer = Field(10, ge=0)
    iterations: Integer = Field(100, ge=1)
    input: OptionalDigest = None
    sequence_length: OptionalInteger = Field(None, ge=1)
    precision: str | None = None
    runtime: Runtime | None = None
    options: Free = Field(default_factory=dict)

    @field_validator("batch_sizes")
    @classmethod
    def _ascending(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        distinct = tuple(sorted(set(sizes)))
        if distinct[0] < 1 or len(distinct) > MAX_BATCH_SIZES:
            raise invalid(
                f"batch sizes {', '.join(map(str, distinct[:9]))}",
                f"pass 1 to {MAX_BATCH_SIZES} sizes, from 1 on",
            )
        return distinct

    def payload(self) -> dict[str, Any]:
        """What the key is made of."""
        return {
            "batch_sizes": unordered(self.batch_sizes),
            "warmup": self.warmup,
            "iterations": self.iterations,
            "input": self.input,
            "sequence_length": self.sequence_length,
            "precision": self.precision,
            "runtime": self.runtime and self.runtime.payload(),
            "options": self.options,
        }

    @property
    def key(self) -> BenchmarkConfigKey:
        """The configuration's identity."""
        return BenchmarkConfigKey.of(self.payload())


def benchmark_key(subject: str, config: BenchmarkConfig, hardware: Hardware) -> BenchmarkKey:
    """The key of a measurement. `subject`: the run's key, or the content digest of an external model."""
    if not is_digest(subject):
        try:
            subject = RunKey(subject)
        except IdentityError as error:
            raise IdentityError(
                f"{subject[:80]!r} is no benchmark subject",
                cure="pass a run key, or the content digest of an external model",
            ) from error
    return BenchmarkKey.of({"subject": subject, "config": config.key, "hardware": hardware.key})


@dataclass(frozen=True, slots=True)
class BatchTimings:
    """The single latencies of one batch size, in milliseconds, in the order they were measured.

    Raises BenchmarkFailed when there are none, or one is not a positive finite number.
    """

    batch_size: int
    durations_ms: tuple[float, ...]

    def __post_init__(self) -> None:
        bad = [each for each in self.durations_ms if not (math.isfinite(each) and each > 0)]
        if bad or not self.durations_ms:
            raise BenchmarkFailed(
                f"batch size {self.batch_size}: "
                + (f"a call took {bad[0]} ms" if bad else "nothing was measured"),
                cure="measure more work in one call, or check `predict` and the clock",
            )

    @property
    def low_sample(self) -> tuple[int, ...]:
        """The percentiles that so few calls say little about: p95 below 20, p99 below 100."""
        return tuple(p for p, enough in _ENOUGH.items() if len(self.durations_ms) < enough)

    def metrics(self) -> dict[str, float]:
        """Mean, percentiles and sample deviation in milliseconds, throughput in samples a second."""
        ordered = sorted(self.durations_ms)
        head = f"latency_batch_{self.batch_size}"
        average = mean(self.durations_ms)
        return {
            f"{head}_ms": average,
            **{f"{head}_p{p}_ms": percentile(ordered, p) for p in _ENOUGH},
            f"{head}_std_ms": sample_std(ordered) if len(ordered) > 1 else 0.0,
            f"throughput_batch_{self.batch_size}_per_sec": self.batch_size / (average / 1000),
        }


def percentile(ordered: Sequence[float], p: int) -> float:
    """The p-th percentile of ascending values by nearest rank: the ⌈p·n/100⌉-th."""
    return ordered[-(-p * len(ordered) // 100) - 1]


def summarise(batch_size: int, durations_ms: Sequence[float]) -> dict[str, float]:
    """The metrics of one batch size. Raises BenchmarkFailed for a duration that is none."""
    return BatchTimings(batch_size, tuple(durations_ms)).metrics()


def benchmark_metrics(timings: Sequence[BatchTimings] | Mapping[int, Sequence[float]]) -> dict[str, float]:
    """The metrics of all batch sizes; `throughput_samples_per_sec` is that of the largest."""
    if isinstance(timings, Mapping):
        timings = [BatchTimings(size, tuple(durations)) for size, durations in timings.items()]
    metrics: dict[str, float] = {}
    for each in timings:
        metrics.update(each.metrics())
    largest = max(each.batch_size for each in timings)
    return {**metrics, "throughput_samples_per_sec": metrics[f"throughput_batch_{largest}_per_sec"]}
