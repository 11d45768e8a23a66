"""Runs, records and names for the tracking store's suites: no two tests share a run or an experiment."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from ...domain.keys import RunKey
from ...domain.run import RunStatus
from ...domain.store_writes import MetricPoint, RecordBatch
from ...domain.stored_run import StoredRun
from ..tracking_store import NewRun, TrackingStore

NAMES_BEGIN_WITH = "STUDBOOK_CONTRACT_NAMES"
"""Variable with which all experiments of the suites begin: to tell them from others in a backend that people share."""
RUN_KEY_TAG = "contract.run_key"
START = 1_700_000_000_000
AWKWARD = (
    "it's",
    'say "so"',
    """both ' and \"""",
    "100%",
    "a\\b",
    "a\nb",
    " space ",
    "ümlaut 漢字 🐎",
    "",
    "--;`",
)
TERMINAL = (RunStatus.FINISHED, RunStatus.FAILED, RunStatus.KILLED)


def fresh_name() -> str:
    """An experiment name that no other test uses."""
    return f"{os.environ.get(NAMES_BEGIN_WITH, 'contract')}-{uuid.uuid4().hex}"


def fresh_key() -> RunKey:
    """A run key that no other test uses."""
    return RunKey(f"rk3:{uuid.uuid4().hex * 2}")


def new_run(experiment: str, started_at_ms: int = START, tags: Mapping[str, str] | None = None) -> NewRun:
    """A run to create, with a key of its own."""
    key = fresh_key()
    return NewRun(key, experiment, "a run", started_at_ms, {RUN_KEY_TAG: key, **(tags or {})})


def keyless_run(store: TrackingStore, experiment: str) -> str:
    """A RUNNING run named "somebody else's" without a key, as another tool makes one."""
    run_id = store.create_run(replace(new_run(experiment), name="somebody else's"))
    store.record(run_id, RecordBatch(tags={RUN_KEY_TAG: ""}))
    return run_id


def metric(name: str, *values: float, step: int = 0) -> RecordBatch:
    """A batch of one metric: its values at consecutive steps."""
    points = (MetricPoint(name, value, START + i, step + i) for i, value in enumerate(values))
    return RecordBatch(metrics=tuple(points))


def ids(runs: Iterable[StoredRun]) -> list[str]:
    """The runs' ids, in their order."""
    return [run.run_id for run in runs]


def at_once(*actions: Callable[[], object]) -> None:
    """Run the actions in threads that start together; back when all are done."""
    start = threading.Barrier(len(actions))

    def run(action: Callable[[], object]) -> None:
        start.wait()
        action()

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
