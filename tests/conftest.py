"""Hypothesis profiles (quick by default, `HYPOTHESIS_PROFILE=thorough` for long runs), and the servers
that tests share.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from azureml_stand_in.azurite import azurite
from azureml_stand_in.workspace import StandIn, Workspace, stand_in
from faults.http_faults import FaultyProxy
from servers.mlflow_server import Server, bare_app, bare_app_on
from servers.postgres import Postgres, postgres

settings.register_profile(
    "quick", max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "thorough", max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

# A shell ignores the interruption of what it runs in the background, and tests would hand that on to what they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """What is loaded by now stays: the collector need not look through it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _own_set_up_of_structlog() -> Iterator[None]:
    """What a test makes of structlog ends with it; `capture_logs`, too, leaves it configured."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database without runs, to be copied."""
    from studbook.adapters.mlflow.first_start import ensure_database

    database = tmp_path_factory.mktemp("template") / "mlflow.db"
    ensure_database(database, str(database.parent / "mlartifacts"))
    return database


@pytest.fixture(scope="session")
def server(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server, of runs and artifacts; one for all tests."""
    with bare_app(tmp_path_factory.mktemp("server"), empty_database) as running:
        yield running


@pytest.fixture(scope="session")
def database_server() -> Iterator[Postgres]:
    """A PostgreSQL server; one for all tests."""
    with postgres() as running:
        yield running


@pytest.fixture(scope="session")
def new_database(database_server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """Makes databases without runs on the PostgreSQL server, and gives their URIs."""
    from studbook.adapters.mlflow.database_start import ensure_tables
    from studbook.adapters.mlflow.sql_drivers import with_driver

    database_server.execute("CREATE DATABASE template_of_tests")
    root = tmp_path_factory.mktemp("artifacts")
    ensure_tables(with_driver(database_server.uri("template_of_tests")), str(root))
    return database_server.databases("template_of_tests")


@pytest.fixture(scope="session")
def server_on_postgres(
    new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A real server whose runs are in a PostgreSQL database; one for all tests."""
    from studbook.adapters.mlflow.sql_drivers import with_driver

    with bare_app_on(with_driver(new_database()), tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultyProxy]:
    """The server behind a proxy without faults yet."""
    with FaultyProxy(server.uri) as listening:
        yield listening


@pytest.fixture(scope="session")
def azure(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """A stand-in for the cloud, over the server; one for all tests."""
    folder = tmp_path_factory.mktemp("azure")
    with azurite(folder) as blobs, stand_in(server.uri, blobs, folder) as running:
        yield running


@pytest.fixture
def workspace(azure: StandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """The stand-in's workspace, with its rules and without faults; this process's clients are led to it."""
    for name in ("CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "AZUREML_CURRENT_CLOUD"):
        monkeypatch.delenv(name, raising=False)
    for name, value in azure.variables.items():
        monkeypatch.setenv(name, value)
    yield azure.workspace
    azure.workspace.forget()
