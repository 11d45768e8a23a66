"""MLflow databases: made once, copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from faults.http_faults import FaultyProxy
from servers.mlflow_server import Server, bare_app
from studbook.adapters.mlflow.first_start import ensure_database
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.ports.capabilities import Capabilities
from studbook.ports.contract.tracking_examples import RUN_KEY_TAG

SMALL_PAGES = Capabilities(search_page=3)
StoreMaker = Callable[[], MlflowTrackingStore]


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database without runs, to be copied."""
    database = tmp_path_factory.mktemp("template") / "mlflow.db"
    ensure_database(database, str(database.parent / "mlartifacts"))
    return database


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


@pytest.fixture(scope="session")
def server(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server, of runs and artifacts; one for all tests."""
    with bare_app(tmp_path_factory.mktemp("server"), empty_database) as running:
        yield running


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultyProxy]:
    """The server behind a proxy without faults yet."""
    with FaultyProxy(server.uri) as listening:
        yield listening
