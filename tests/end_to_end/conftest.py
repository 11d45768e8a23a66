"""The demo, lived through once on each kind of store for all tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from end_to_end.demo_run import DemoRun, run_demo
from servers.mlflow_server import bare_app_on
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
