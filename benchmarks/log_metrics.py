"""One metric at the caller: against the least that a kill-9 safe log can do, MLflow's two ways, and trackio."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from studbook import Studbook

from .figure import Figure, Unit, cost, not_measured, speedup
from .measure import Task, in_turns, timed
from .peer import client_of, database_uri
from .trackio import REQUIREMENT, NotInstalled, trackio_task

_ROUNDS = 7
_OURS = 20_000
_MLFLOW = 100
_MLFLOW_ASYNC = 500
_TRACKIO = "against trackio's Run.log, which a kill -9 can lose"


class _Event(msgspec.Struct):
    kind: str
    metrics: dict[str, float]
    step: int


class _Line(msgspec.Struct):
    seq: int
    at: int
    run: str
    v: int
    group: tuple[int, int]
    event: _Event


def run(folder: Path) -> list[Figure]:
    """Through a RunHandle on a JournalEventLog, as a training loop does it."""
    uri, home = database_uri(folder / "ours"), folder / "home"
    try:
        trackio, reason = [trackio_task(folder / "trackio")], ""
    except NotInstalled as error:
        trackio, reason = [], f"{REQUIREMENT} could not be installed: {error}"
    with Studbook.open(uri, home=home, delivery="manual") as book, book.run("bench") as handle:
        ours = timed(lambda: _log(handle.log_metrics), _OURS)
        floor = _floor(folder / "floor.jsonl", str(handle.key))
        tasks = [ours, floor, _mlflow(folder / "sync"), _mlflow_async(folder / "async"), *trackio]
        ours_s, floor_s, mlflow_s, async_s, *trackio_s = in_turns(tasks, _ROUNDS)
    return [
        cost("against encode + os.write", ours_s, floor_s, 3.5, named=("studbook", "floor")),
        speedup("against MlflowClient.log_metric (SQLite)", ours_s, mlflow_s, 800),
        speedup("against mlflow.log_metric(synchronous=False)", ours_s, async_s, 20),
        *(speedup(_TRACKIO, ours_s, samples, 1) for samples in trackio_s),
        *([] if trackio_s else [not_measured(_TRACKIO, Unit.TIMES_FASTER, reason)]),
    ]


def _log(log_metrics: Callable[[dict[str, float], int], None]) -> None:
    for step in range(_OURS):
        log_metrics({"loss": 0.1 + step}, step)


def _floor(path: Path, run_key: str) -> Task:
    """The same content by the quickest encoder, made beforehand, and one write; no checksum, no time taken."""
    line = _Line(1, time.time_ns(), run_key, 1, (0, 1), _Event("MetricsLogged", {"loss": 0.123456}, 17))
    encode = msgspec.json.Encoder().encode

    def work() -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        for _ in range(_OURS):
            os.write(descriptor, encode(line) + b"\n")
        os.close(descriptor)

    return timed(work, _OURS)


def _mlflow(folder: Path) -> Task:
    client, experiment = client_of(database_uri(folder), folder)
    run_id = client.create_run(experiment).info.run_id

    def work() -> None:
        for step in range(_MLFLOW):
            client.log_metric(run_id, "loss", 0.1 + step, step=step)

    return timed(work, _MLFLOW)


def _mlflow_async(folder: Path) -> Task:
    """What the caller waits for, in an active run: with `run_id=` MLflow would look the run up at each call.

    Delivery is waited for off the clock.
    """
    import mlflow

    uri = database_uri(folder)
    _, experiment = client_of(uri, folder)

    def task() -> float:
        mlflow.set_tracking_uri(uri)
        with mlflow.start_run(experiment_id=experiment):
            begun = time.perf_counter()
            for step in range(_MLFLOW_ASYNC):
                mlflow.log_metric("loss", 0.1 + step, step=step, synchronous=False)
            taken = (time.perf_counter() - begun) / _MLFLOW_ASYNC
            mlflow.flush_async_logging()
        return taken

    return task
