"""Hypothesis profiles (quick by default, `HYPOTHESIS_PROFILE=thorough` for long runs), and an MLflow server for all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from faults.http_faults import FaultyProxy
from servers.mlflow_server import Server, bare_app

settings.register_profile(
    "quick", max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "thorough", max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


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


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultyProxy]:
    """The server behind a proxy without faults yet."""
    with FaultyProxy(server.uri) as listening:
        yield listening
