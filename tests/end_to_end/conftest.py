"""The demo, lived through once on each kind of store for all tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from azureml_stand_in.azurite import azurite
from azureml_stand_in.workspace import URI, StandIn, stand_in
from end_to_end.demo_run import DemoRun, run_demo
from servers.mlflow_server import bare_app, bare_app_on
from studbook.adapters.mlflow.sql_drivers import with_driver


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoRun:
    """The demo on an SQLite store, in an empty folder."""
    return run_demo(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="session")
def demo_on_server(
    new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DemoRun]:
    """The demo on an MLflow server over PostgreSQL, which has no other runs, in an empty folder."""
    with bare_app_on(with_driver(new_database()), tmp_path_factory.mktemp("server")) as server:
        yield run_demo(tmp_path_factory.mktemp("demo"), server.uri)


@contextmanager
def _without_runs(database: Path, folders: pytest.TempPathFactory) -> Iterator[StandIn]:
    folder = folders.mktemp("azure")
    with (
        bare_app(folders.mktemp("server"), database) as server,
        azurite(folder) as blobs,
        stand_in(server.uri, blobs, folder) as azure,
    ):
        yield azure


@pytest.fixture
def empty_workspace(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """A workspace without runs."""
    with _without_runs(empty_database, tmp_path_factory) as azure:
        yield azure


@pytest.fixture(scope="session")
def demo_on_azure(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoRun]:
    """The demo in an Azure ML workspace, which has no other runs, in an empty folder."""
    with _without_runs(empty_database, tmp_path_factory) as azure:
        yield run_demo(tmp_path_factory.mktemp("demo"), URI, azure.behind, azure.variables)
