"""Eight processes that open the same absent database at once; each makes, fills and ends a run of its own."""

from __future__ import annotations

import multiprocessing
import sys

# Imported before the fork, so that the eight meet at the database and not on the way to it.
import mlflow.store.tracking.sqlalchemy_store  # noqa: F401

from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.domain.keys import RunKey
from studbook.domain.run import RunStatus
from studbook.domain.store_writes import MetricPoint, RecordBatch
from studbook.ports.tracking_store import NewRun

PROCESSES = 8


def main(uri: str, artifact_root: str | None = None) -> int:
    """0 when every process finished its run."""
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(PROCESSES)

    def work(number: int) -> None:
        store = MlflowTrackingStore(uri, run_key_tag="key", artifact_root=artifact_root)
        barrier.wait()
        run_key = RunKey(f"rk3:{number:064x}")
        run_id = store.create_run(NewRun(run_key, "together", f"run {number}", 1_700_000_000_000, {}))
        for step in range(5):
            store.record(
                run_id, RecordBatch(metrics=(MetricPoint("m", float(step), 1_700_000_000_000, step),))
            )
        store.end_run(run_id, RunStatus.FINISHED, 1_700_000_000_001)
        store.close()

    processes = [context.Process(target=work, args=(number,)) for number in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return sum(process.exitcode != 0 for process in processes)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
