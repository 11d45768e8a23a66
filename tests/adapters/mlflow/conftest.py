"""MLflow databases: made once, copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from servers.mlflow_server import Server, bare_app_on
from servers.postgres import Postgres, postgres
from studbook.adapters.mlflow.database_start import ensure_tables
from studbook.adapters.mlflow.sql_drivers import with_driver
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.ports.capabilities import Capabilities
from studbook.ports.contract.tracking_examples import RUN_KEY_TAG

SMALL_PAGES = Capabilities(search_page=3)
StoreMaker = Callable[[], MlflowTrackingStore]


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
def database_server() -> Iterator[Postgres]:
    """A PostgreSQL server; one for all tests."""
    with postgres() as running:
        yield running


@pytest.fixture(scope="session")
def new_database(database_server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """Makes databases without runs on the PostgreSQL server, and gives their URIs."""
    database_server.execute("CREATE DATABASE template_of_tests")
    root = tmp_path_factory.mktemp("artifacts")
    ensure_tables(with_driver(database_server.uri("template_of_tests")), str(root))
    return database_server.databases("template_of_tests")


@pytest.fixture(scope="session")
def server_on_postgres(
    new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A real server whose runs are in a PostgreSQL database; one for all tests."""
    with bare_app_on(with_driver(new_database()), tmp_path_factory.mktemp("server")) as running:
        yield running
