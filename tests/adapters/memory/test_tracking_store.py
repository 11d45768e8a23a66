"""The memory store keeps the port's contract, under any backend's limits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from studbook.adapters.azureml.tracking_store import AZURE_LIMITS
from studbook.adapters.memory.tracking_store import MemoryTrackingStore
from studbook.ports.capabilities import Capabilities
from studbook.ports.contract.tracking_examples import RUN_KEY_TAG
from studbook.ports.contract.tracking_store import TrackingStoreContract
from studbook.ports.tracking_store import TrackingStore

LIMITS = {
    "mlflow": Capabilities(search_page=3),
    "azureml": replace(AZURE_LIMITS, search_page=3),
}


class TestMemoryTrackingStore(TrackingStoreContract):
    """Once with each backend's limits."""

    @pytest.fixture(params=sorted(LIMITS))
    def store(self, request: pytest.FixtureRequest) -> TrackingStore:
        """An empty store."""
        return MemoryTrackingStore(LIMITS[request.param], run_key_tag=RUN_KEY_TAG)

    def delete_experiment(self, store: TrackingStore, name: str) -> None:
        """By the fake's own method."""
        assert isinstance(store, MemoryTrackingStore)
        store.delete_experiment(name)
