"""MLflow databases: made once, copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from servers.postgres import Postgres
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.ports.capabilities import Capabilities
from studbook.ports.contract.tracking_examples import RUN_KEY_TAG

SMALL_PAGES = Capabilities(search_page=3)
StoreMaker = Callable[[], MlflowTrackingStore]
_numbers = count()


@pytest.fixture
def new_store(empty_database: Path, tmp_path: Path) -> Iterator[StoreMaker]:
    """Makes stores, each on a database of its own, with small pages."""
    numbers = count()
    made: list[MlflowTrackingStore] = []

    def make() -> MlflowTrackingStore:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        shutil.copy(empty_database, folder / "mlflow.db")
        uri = f"sqlite:///{folder / 'mlflow.db'}"
        made.append(MlflowTrackingStore(uri, run_key_tag=RUN_KEY_TAG, capabilities=SMALL_PAGES))
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture
def empty(database_server: Postgres) -> str:
    """The URI of a database without tables."""
    name = f"empty_{next(_numbers)}"
    database_server.execute(f'CREATE DATABASE "{name}"')
    return database_server.uri(name)


@pytest.fixture
def database(new_database: Callable[[], str]) -> str:
    """The URI of a complete database."""
    return new_database()
