"""Eight processes that begin together where nothing is yet: no home, no database."""

from __future__ import annotations

from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from faults.fault_home import FaultHome
from faults.seeds import SEEDS
from faults.waiting import PATIENCE_S
from faults.writer_process import log_one_run

_PROCESSES = 8


@pytest.mark.parametrize("round_", SEEDS)
def test_all_log_their_run_and_plain_mlflow_finds_exactly_those(
    fresh_home: FaultHome, processes: ForkServerContext, round_: int
) -> None:
    together = processes.Barrier(_PROCESSES)
    started = [
        processes.Process(target=log_one_run, args=(fresh_home.folder, number, together))
        for number in range(_PROCESSES)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join(PATIENCE_S)
    assert [process.exitcode for process in started] == [0] * _PROCESSES
    fresh_home.wait_until_sidecars_left()
    assert fresh_home.is_settled()
    assert [*fresh_home.folder.glob("mlflow.db.init-*")] == []
    assert plain_mlflow(fresh_home.database) == {
        f"run {number}": ("FINISHED", [0.0, 1.0, 2.0, 3.0, 4.0]) for number in range(_PROCESSES)
    }


def plain_mlflow(database: Path) -> dict[str, tuple[str, list[float]]]:
    """What stock MLflow finds in any experiment: the runs' status and losses. Each name once, or it fails."""
    from mlflow import MlflowClient

    uri = f"sqlite:///{database}"
    client = MlflowClient(uri, registry_uri=uri)
    runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    found = {
        run.info.run_name: (
            run.info.status,
            sorted(point.value for point in client.get_metric_history(run.info.run_id, "loss")),
        )
        for run in runs
    }
    assert len(found) == len(runs)
    return found
