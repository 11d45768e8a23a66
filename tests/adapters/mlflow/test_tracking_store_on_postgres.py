"""The tracking store on a real PostgreSQL database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from studbook.adapters.memory.tracking_store import MemoryTrackingStore
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.ports.capabilities import Capabilities
from studbook.ports.contract.tracking_examples import RUN_KEY_TAG
from studbook.ports.contract.tracking_store import TrackingStoreContract
from studbook.ports.contract.tracking_store_machine import TrackingStoreMachine
from studbook.ports.tracking_store import TrackingStore

SMALL_PAGES = Capabilities(search_page=3)


@pytest.fixture
def new_store(new_database: Callable[[], str], tmp_path: Path) -> Iterator[Callable[[], MlflowTrackingStore]]:
    """Makes stores, each on a database of its own, with small pages."""
    made: list[MlflowTrackingStore] = []

    def make() -> MlflowTrackingStore:
        store = MlflowTrackingStore(
            new_database(), run_key_tag=RUN_KEY_TAG, artifact_root=str(tmp_path), capabilities=SMALL_PAGES
        )
        made.append(store)
        return store

    yield make
    for store in made:
        store.close()


class TestOnPostgres(TrackingStoreContract):
    """The port's contract."""

    @pytest.fixture
    def store(self, new_store: Callable[[], MlflowTrackingStore]) -> TrackingStore:
        """An empty store."""
        return new_store()

    def delete_experiment(self, store: TrackingStore, name: str) -> None:
        """As MLflow does: with its runs."""
        assert isinstance(store, MlflowTrackingStore)
        from mlflow import MlflowClient

        client = MlflowClient(store._backend.uri, registry_uri=store._backend.uri)
        experiment = client.get_experiment_by_name(name)
        assert experiment is not None
        client.delete_experiment(experiment.experiment_id)


def test_it_agrees_with_the_model_whatever_is_done(new_store: Callable[[], MlflowTrackingStore]) -> None:
    class Machine(TrackingStoreMachine):
        def stores(self) -> tuple[TrackingStore, TrackingStore]:
            return new_store(), MemoryTrackingStore(run_key_tag=RUN_KEY_TAG)

    run_state_machine_as_test(Machine, settings=settings(max_examples=4, stateful_step_count=25))
