"""The MLflow store on a real SQLite database."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from studbook.adapters.memory.tracking_store import MemoryTrackingStore
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.domain.errors import TrackingRefused, TrackingUnavailable, UnsupportedTarget
from studbook.domain.run import RunStatus
from studbook.domain.store_writes import MetricPoint, RecordBatch
from studbook.domain.stored_run import Lifecycle
from studbook.ports.contract.tracking_examples import RUN_KEY_TAG, START, at_once, ids, metric, new_run
from studbook.ports.contract.tracking_store import TrackingStoreContract
from studbook.ports.contract.tracking_store_machine import TrackingStoreMachine
from studbook.ports.run_query import ANY_STATUS, RunQuery
from studbook.ports.tracking_store import TrackingStore

StoreMaker = Callable[[], MlflowTrackingStore]


def raw(store: MlflowTrackingStore) -> object:
    """MLflow's own store object below ours."""
    return store._store()


class TestMlflowTrackingStore(TrackingStoreContract):
    """The port's contract."""

    @pytest.fixture
    def store(self, new_store: StoreMaker) -> TrackingStore:
        """An empty store."""
        return new_store()

    def delete_experiment(self, store: TrackingStore, name: str) -> None:
        """By MLflow itself."""
        assert isinstance(store, MlflowTrackingStore)
        mlflow_store = store._store()
        mlflow_store.delete_experiment(mlflow_store.get_experiment_by_name(name).experiment_id)


def test_it_agrees_with_the_model_whatever_is_done(new_store: StoreMaker) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        lambda: TrackingStoreMachine(new_store(), MemoryTrackingStore(run_key_tag=RUN_KEY_TAG)),
        settings=settings(max_examples=12, stateful_step_count=25),
    )


def test_importing_and_constructing_imports_no_mlflow(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore\n"
        f"MlflowTrackingStore('sqlite:///{tmp_path}/mlflow.db', run_key_tag='k').capabilities\n"
        "assert not {'mlflow', 'sqlalchemy', 'requests'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "uri", ["sqlite:///mlflow.db", "sqlite://", "sqlite:///:memory:", "mlruns", "file:///x", "ftp://u:pw@h/x"]
)
def test_other_targets_are_refused_without_their_text(uri: str) -> None:
    with pytest.raises(UnsupportedTarget) as refusal:
        MlflowTrackingStore(uri, run_key_tag="k")
    assert "pw" not in str(refusal.value)
