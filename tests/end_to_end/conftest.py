"""The demo, lived through once on each kind of store for all tests of this folder."""

from __future__ import annotations

import pytest

from end_to_end.demo_run import DemoRun, run_demo
from servers.mlflow_server import Server


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoRun:
    """The demo on an SQLite store, in an empty folder."""
    return run_demo(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="session")
def demo_on_server(server_on_postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> DemoRun:
    """The demo on an MLflow server over PostgreSQL, in an empty folder."""
    return run_demo(tmp_path_factory.mktemp("demo"), server_on_postgres.uri)
