"""Measures a model's speed: its files acquired and verified first, the run opened before the first call."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from ..domain.benchmark import BenchmarkConfig, Hardware, Runtime, benchmark_key, benchmark_metrics
from ..domain.data import content_digest_of
from ..domain.errors import BenchmarkFailed, IdentityError, InvalidInput, StudbookError
from ..domain.keys import BenchmarkKey
from ..domain.manifest import ArtifactKind
from ..domain.product_events import BenchmarkMeasured, BenchmarkStarted
from ..domain.run import Ending, EndReason, RunStatus
from ..domain.run_events import RunEnded
from ..domain.run_identity import RunIdentity, of_benchmark
from ..domain.run_view import RunView
from ..domain.stage import Stage
from ..domain.stored_run import Lifecycle
from ..ports.attempt_claims import AttemptClaims
from ..ports.clock import Clock
from ..ports.log import get_logger
from ..ports.machine import Machine
from .acquire import AcquireArtifact
from .ancestry import lineage_of
from .attempts import next_attempt
from .ending import ending_without_result, error_text
from .measuring import measure
from .notices import Step
from .recorder import Recorder
from .run_catalog import RunCatalog
from .run_opening import RunOpening
from .store_artifact import ArtifactBuilder

Batches = Mapping[int, object] | Callable[[int], object]

_MOST_BATCH_SIZES = 8
_MOST_LATENCIES = 10_000

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BenchmarkRequest:
    """What to measure. `batches` gives a batch for each size; `load`, when given, turns the acquired folder into
    the first argument of `predict(model, batch)`; else `predict(batch)` is called.
    """

    subject: RunView
    predict: Callable[..., object]
    batches: Batches
    batch_sizes: tuple[int, ...] = (1,)
    warmup: int = 10
    iterations: int = 100
    load: Callable[[Path], object] | None = None
    synchronize: Callable[[], object] | None = None
    sequence_length: int | None = None
    precision: str | None = None
    runtime: tuple[str, str] | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    force: bool = False


class BenchmarkModel:
    """The use case: one benchmark of one subject under one configuration on this hardware, made once."""

    def __init__(
        self,
        catalog: RunCatalog,
        recorder: Recorder,
        opening: RunOpening,
        artifacts: ArtifactBuilder,
        acquire: AcquireArtifact,
        machine: Machine,
        clock: Clock,
        claims: AttemptClaims,
        home: Path,
    ) -> None:
        self._catalog = catalog
        self._recorder = recorder
        self._opening = opening
        self._artifacts = artifacts
        self._acquire = acquire
        self._machine = machine
        self._clock = clock
        self._claims = claims
        self._home = home

    def __call__(self, request: BenchmarkRequest) -> RunView:
        """The FINISHED benchmark run: an earlier one with the same key, unless `force`, else measured now.

        Raises BenchmarkFailed when `predict` raises or a duration is no positive number: that run is FAILED.
        """
        batches = _batches(request)
        config = BenchmarkConfig(
            batch_sizes=tuple(batches),
            warmup=request.warmup,
            iterations=request.iterations,
            input=_digest(batches),
            sequence_length=request.sequence_length,
            precision=request.precision,
            runtime=Runtime(name=request.runtime[0], version=request.runtime[1]) if request.runtime else None,
            options=dict(request.options),
        )
        hardware = self._machine.hardware()
        key = benchmark_key(request.subject.ref, config, hardware)
        known = self._catalog.find([Stage.BENCHMARK], benchmark_key=key)
        done = [run for run in known if _is_done(run, tuple(batches))]
        if done and not request.force:
            return max(done, key=lambda run: (run.attempt, run.started_at))
        model = self._model(request)
        first = of_benchmark(self._opening.project.name, key, attempt=1)
        identity = next_attempt(first, known, self._claims)
        self._start(identity, request, config, hardware, key)
        self._measure(identity, request, batches, model, config, hardware)
        return self._catalog.resolve(identity.key)

    def _model(self, request: BenchmarkRequest) -> Callable[[object], object]:
        if request.load is None:
            return request.predict
        is_model = request.subject.stage in (Stage.FINAL_TRAINING, Stage.CONVERSION)
        kind = ArtifactKind.MODEL if is_model else ArtifactKind.CHECKPOINT
        acquired = self._acquire.acquire(request.subject, kind)
        model = request.load(acquired.path)
        return lambda batch: request.predict(model, batch)

    def _start(
        self,
        identity: RunIdentity,
        request: BenchmarkRequest,
        config: BenchmarkConfig,
        hardware: Hardware,
        key: BenchmarkKey,
    ) -> None:
        subject = request.subject
        if _warnings(request, hardware):
            _log.warning("NOT_SYNCHRONIZED", device=hardware.kind, cure="give synchronize=")
        tokens = {
            "model": subject.family,
            "trial": subject.trial_key,
            "bench": key,
            "device": hardware.kind,
        }
        runtime = " ".join(request.runtime) if request.runtime else None
        environment: dict[str, JsonValue] = {
            "hardware": str(hardware.key),
            "device": hardware.kind,
            "precision": request.precision or "unspecified",
            "sequence_length": str(request.sequence_length or "unspecified"),
            "runtime": runtime or "unspecified",
        }
        if config.input is not None:
            environment["data_fp"] = config.input
        settings: dict[str, JsonValue] = {
            "benchmark_batch_sizes": list(config.batch_sizes),
            "benchmark_iterations": config.iterations,
            "benchmark_warmup_iterations": config.warmup,
            "benchmark_sequence_length": request.sequence_length,
            "benchmark_device": hardware.kind,
            "benchmark_precision": request.precision,
            "benchmark_runtime": runtime,
        }
        started = BenchmarkStarted(
            benchmark_key=key,
            config=config.key,
            hardware=hardware.key,
            subject=subject.ref,
            environment=environment,
            settings=settings,
            lineage=lineage_of(subject),
        )
        self._recorder.record(identity.key, self._opening.started(identity, tokens), started)
        self._recorder.notify(Step("benchmark", str(subject.family)))

    def _measure(
        self,
        identity: RunIdentity,
        request: BenchmarkRequest,
        batches: dict[int, object],
        model: Callable[[object], object],
        config: BenchmarkConfig,
        hardware: Hardware,
    ) -> None:
        folder = self._home / "work" / "benchmarks" / identity.key.folder
        try:
            durations = {
                size: measure(
                    model,
                    batch,
                    warmup=request.warmup,
                    iterations=request.iterations,
                    synchronize=request.synchronize,
                    clock=self._clock,
                )
                for size, batch in batches.items()
            }
            metrics = benchmark_metrics(durations)
            report = _report(durations, config, hardware, self._machine.facts(), _warnings(request, hardware))
            logged = self._artifacts.build(
                _written(folder / "benchmark.json", report),
                name="benchmark",
                kind=ArtifactKind.ANY,
                run_key=identity.key,
                stage=Stage.BENCHMARK,
            )
        except StudbookError as error:
            ending = Ending.failed(EndReason.ERROR, error_text(error))
            self._recorder.record(identity.key, RunEnded(ending=ending))
            raise
        except Exception as error:
            self._recorder.record(identity.key, RunEnded(ending=ending_without_result(error)))
            raise BenchmarkFailed(
                f"the measured function raised {error_text(error)}",
                cure="make predict work on one of the batches by hand, then measure again",
                run=str(identity.key),
            ) from error
        except BaseException as error:
            self._recorder.record(identity.key, RunEnded(ending=ending_without_result(error)))
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        measured = BenchmarkMeasured(
            benchmark_key=benchmark_key(request.subject.ref, config, hardware), metrics=metrics
        )
        self._recorder.record(identity.key, logged, measured, RunEnded(ending=Ending.finished()))


def _batches(request: BenchmarkRequest) -> dict[int, object]:
    sizes = sorted(set(request.batch_sizes))
    if not sizes or len(sizes) > _MOST_BATCH_SIZES or min(sizes) < 1:
        raise InvalidInput(
            f"batch sizes {list(request.batch_sizes)} cannot be measured",
            cure=f"give 1 to {_MOST_BATCH_SIZES} sizes of 1 or more",
        )
    give = request.batches
    if callable(give):
        return {size: give(size) for size in sizes}
    missing = [size for size in sizes if size not in give]
    if missing:
        raise InvalidInput(
            f"there is no batch of size {missing}", cure="give batches={size: batch, …} for each size"
        )
    return {size: give[size] for size in sizes}


def _digest(batches: Mapping[int, object]) -> str | None:
    try:
        return content_digest_of({str(size): batch for size, batch in batches.items()})
    except IdentityError:
        return None


def _is_done(run: RunView, sizes: tuple[int, ...]) -> bool:
    wanted = benchmark_metrics({size: [1.0] for size in sizes})
    return (
        run.status is RunStatus.FINISHED
        and run.lifecycle is Lifecycle.ACTIVE
        and all(math.isfinite(run.metrics.get(name, math.nan)) for name in wanted)
    )


def _warnings(request: BenchmarkRequest, hardware: Hardware) -> list[str]:
    """Calls on a device that works by itself end before its work does."""
    return ["NOT_SYNCHRONIZED"] if hardware.kind != "cpu" and request.synchronize is None else []


def _report(
    durations: Mapping[int, list[float]],
    config: BenchmarkConfig,
    hardware: Hardware,
    facts: dict[str, JsonValue],
    warnings: list[str],
) -> dict[str, object]:
    return {
        "schema": "studbook.benchmark/1",
        "configuration": config.model_dump(mode="json"),
        "hardware": hardware.model_dump(mode="json"),
        "machine": facts,
        "warnings": warnings,
        "batches": {
            str(size): {
                "n": len(values),
                "min_ms": min(values),
                "max_ms": max(values),
                "low_sample": len(values) < 100,
                "latencies_ms": values[:_MOST_LATENCIES],
            }
            for size, values in durations.items()
        },
    }


def _written(path: Path, report: Mapping[str, object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1, sort_keys=True), encoding="utf-8")
    return path.parent
