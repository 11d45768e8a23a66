"""The tracking store on a real MLflow server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from servers.mlflow_server import Server
from studbook.adapters.memory.tracking_store import MemoryTrackingStore
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.domain.errors import TrackingRefused
from studbook.domain.store_writes import MetricPoint, RecordBatch
from studbook.ports.capabilities import Capabilities
from studbook.ports.contract.tracking_examples import RUN_KEY_TAG, fresh_name, metric, new_run
from studbook.ports.contract.tracking_store import TrackingStoreContract
from studbook.ports.contract.tracking_store_machine import TrackingStoreMachine
from studbook.ports.tracking_store import TrackingStore


@pytest.fixture
def store(server: Server) -> Iterator[MlflowTrackingStore]:
    """A store with small pages."""
    store = MlflowTrackingStore(
        server.uri, run_key_tag=RUN_KEY_TAG, capabilities=Capabilities(search_page=20)
    )
    yield store
    store.close()


class TestServedRuns(TrackingStoreContract):
    """The port's contract."""

    @pytest.fixture
    def store(self, store: MlflowTrackingStore) -> TrackingStore:
        """The server's store, which holds other tests' runs too."""
        return store

    def delete_experiment(self, store: TrackingStore, name: str) -> None:
        """As MLflow does: with its runs."""
        assert isinstance(store, MlflowTrackingStore)
        from mlflow import MlflowClient

        client = MlflowClient(store._backend.uri, registry_uri=store._backend.uri)
        experiment = client.get_experiment_by_name(name)
        assert experiment is not None
        client.delete_experiment(experiment.experiment_id)


class TestServedRunsOnPostgres(TestServedRuns):
    """The same, where the server's database is PostgreSQL."""

    @pytest.fixture
    def store(self, server_on_postgres: Server) -> Iterator[TrackingStore]:
        """The server's store, which holds other tests' runs too."""
        store = MlflowTrackingStore(
            server_on_postgres.uri, run_key_tag=RUN_KEY_TAG, capabilities=Capabilities(search_page=20)
        )
        yield store
        store.close()


def test_it_agrees_with_the_model_whatever_is_done(server: Server) -> None:
    class Machine(TrackingStoreMachine):
        def stores(self) -> tuple[TrackingStore, TrackingStore]:
            served = MlflowTrackingStore(
                server.uri, run_key_tag=RUN_KEY_TAG, capabilities=Capabilities(search_page=3)
            )
            return served, MemoryTrackingStore(run_key_tag=RUN_KEY_TAG)

    run_state_machine_as_test(Machine, settings=settings(max_examples=4, stateful_step_count=15))


def test_what_the_server_refuses_for_good_is_refused(store: MlflowTrackingStore) -> None:
    run_id = store.create_run(new_run(fresh_name()))
    for batch in (
        RecordBatch(params={"a\\b": "1"}),
        RecordBatch(tags={"../up": "1"}),
        RecordBatch(metrics=(MetricPoint("m", 1.0, 2**70, 0),)),
        RecordBatch(params={"surrogate": "\ud800"}),
    ):
        with pytest.raises(TrackingRefused):
            store.record(run_id, batch)
    run = store.get_run(run_id)
    assert (run.params, run.metrics) == ({}, {})


def test_a_store_that_was_closed_opens_again(store: MlflowTrackingStore) -> None:
    new = new_run(fresh_name())
    run_id = store.create_run(new)
    store.close()
    assert store.create_run(new) == run_id


def test_a_repeated_nan_row_holds_up_nothing(store: MlflowTrackingStore) -> None:
    run_id = store.create_run(new_run(fresh_name()))
    rows = metric("m", float("nan"), 1.0).metrics
    for _ in range(2):
        store.record(run_id, RecordBatch(metrics=rows, tags={"t": "1"}))
    assert len(store.metric_history(run_id, "m")) == len(rows)


def test_the_run_page_names_the_experiment(store: MlflowTrackingStore, server: Server) -> None:
    run = store.get_run(store.create_run(new_run(fresh_name())))
    page = store.run_url(run)
    assert page is not None
    assert page.startswith(f"{server.uri}/#/experiments/")
    assert page.endswith(f"/runs/{run.run_id}")
