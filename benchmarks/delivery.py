"""Delivery to MLflow on SQLite: the relay against full batches sent by hand."""

from __future__ import annotations

import time
from pathlib import Path

from studbook import Studbook
from studbook.entrypoints.own_process import settle_in

from .figure import Figure, cost
from .measure import Task, in_turns
from .peer import client_of, database_uri

_EVENTS = 10_000
_FULL_BATCH = 1_000  # MLflow's limit of metrics a request
_ROUNDS = 5


def run(folder: Path) -> list[Figure]:
    """Seconds per metric event, from the journal to the database; the runs are there beforehand.

    Both in a process like the relay's, and the same rows: each metric with a time of its own.
    """
    settle_in()
    with Studbook.open(database_uri(folder / "ours"), home=folder / "home", delivery="manual") as book:
        ours_s, hand_s = in_turns([_relay(book), _by_hand(folder / "hand")], _ROUNDS)
    # No slower than 0.9 of the hand-made rate: at most 1 / 0.9 of its time.
    return [cost("against log_batch by hand, full batches", ours_s, hand_s, 1 / 0.9, named=("relay", "hand"))]


def _relay(book: Studbook) -> Task:
    def task() -> float:
        with book.run("bench") as handle:
            book.flush()
            for step in range(_EVENTS):
                handle.log_metrics({"loss": 0.1 + step}, step)
            begun = time.perf_counter()
            book.flush()
            return (time.perf_counter() - begun) / _EVENTS

    return task


def _by_hand(folder: Path) -> Task:
    from mlflow.entities import Metric

    client, experiment = client_of(database_uri(folder), folder)

    def task() -> float:
        run_id = client.create_run(experiment).info.run_id
        logged = [(step, time.time_ns() // 1_000_000) for step in range(_EVENTS)]
        begun = time.perf_counter()
        for first in range(0, _EVENTS, _FULL_BATCH):
            batch = logged[first : first + _FULL_BATCH]
            client.log_batch(run_id, [Metric("loss", 0.1 + step, at_ms, step) for step, at_ms in batch])
        return (time.perf_counter() - begun) / _EVENTS

    return task
