"""What somebody deleted in the backend: a typed error, whose cure is a command that works."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from mlflow import MlflowClient

from servers.mlflow_server import Server
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.domain.errors import ExperimentDeleted, RunDeleted, TrackingRefused
from studbook.domain.run import RunStatus
from studbook.domain.store_writes import RecordBatch
from studbook.ports.contract.tracking_examples import RUN_KEY_TAG, fresh_name, new_run


@pytest.fixture
def client(server: Server) -> MlflowClient:
    return MlflowClient(server.uri, registry_uri=server.uri)


@pytest.fixture
def store(server: Server) -> Iterator[MlflowTrackingStore]:
    store = MlflowTrackingStore(server.uri, run_key_tag=RUN_KEY_TAG)
    yield store
    store.close()


def cured(error: TrackingRefused, server: Server) -> None:
    """Do what the cure says."""
    _, program, command = error.cure.partition("mlflow ")
    assert program
    subprocess.run(
        [sys.executable, "-m", "mlflow", *command.split()],
        env={"MLFLOW_TRACKING_URI": server.uri, "MLFLOW_DISABLE_TELEMETRY": "true"},
        check=True,
        capture_output=True,
    )


def test_a_deleted_experiment_takes_no_runs_until_it_is_restored(
    server: Server, client: MlflowClient, store: MlflowTrackingStore
) -> None:
    name = fresh_name()
    run_id = store.create_run(new_run(name))
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    client.delete_experiment(experiment.experiment_id)
    with pytest.raises(ExperimentDeleted) as deleted:
        store.create_run(new_run(name))
    assert repr(name) in deleted.value.problem
    with pytest.raises(RunDeleted):
        store.record(run_id, RecordBatch(tags={"t": "1"}))
    cured(deleted.value, server)
    store.create_run(new_run(name))
    store.record(run_id, RecordBatch(tags={"t": "1"}))


def test_a_deleted_run_takes_nothing_until_it_is_restored(
    server: Server, client: MlflowClient, store: MlflowTrackingStore
) -> None:
    new = new_run(fresh_name())
    run_id = store.create_run(new)
    client.delete_run(run_id)
    for write in (
        lambda: store.record(run_id, RecordBatch(params={"p": "1"})),
        lambda: store.end_run(run_id, RunStatus.FINISHED, 1),
        lambda: store.create_run(new),
    ):
        with pytest.raises(RunDeleted) as deleted:
            write()
    cured(deleted.value, server)
    store.record(run_id, RecordBatch(params={"p": "1"}))
    assert store.get_run(run_id).params == {"p": "1"}
