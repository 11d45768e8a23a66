"""Homes on databases that are made once, and processes that are forked from one that has imported everything."""

from __future__ import annotations

import multiprocessing
import shutil
import uuid
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from azureml_stand_in.workspace import URI, Workspace
from faults.fault_home import FaultHome
from faults.http_faults import FaultyProxy
from studbook.adapters.azureml.tracking_store import AZURE_LIMITS

_PRELOADED = [
    "pytest",
    "optuna",
    "mlflow.store.tracking.sqlalchemy_store",
    "studbook.entrypoints.studbook",
]


@pytest.fixture(scope="session")
def processes() -> ForkServerContext:
    """Makes real processes that begin at once: each is forked from one that has imported MLflow and Optuna."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


@pytest.fixture
def fresh_home(tmp_path: Path) -> Iterator[FaultHome]:
    """A home that is not there yet, and no database."""
    with FaultHome(tmp_path).ends() as home:
        yield home


@pytest.fixture
def home(fresh_home: FaultHome, empty_database: Path) -> FaultHome:
    """A home that is not there yet, on an empty database."""
    shutil.copy(empty_database, fresh_home.database)
    return fresh_home


@pytest.fixture
def served_home(tmp_path: Path, proxy: FaultyProxy) -> Iterator[FaultHome]:
    """A home that is not there yet, whose target is the server behind the proxy."""
    with FaultHome(tmp_path, proxy.uri, experiment=f"faults-{tmp_path.name}").ends() as home:
        yield home


@pytest.fixture
def workspace_home(tmp_path: Path, workspace: Workspace) -> Iterator[FaultHome]:
    """A home that is not there yet, whose target is the stand-in's workspace."""
    workspace.forget()
    experiment = f"faults-{uuid.uuid4().hex}"
    with FaultHome(tmp_path, URI, experiment, AZURE_LIMITS).ends() as home:
        yield home


@pytest.fixture
def new_home(tmp_path: Path, empty_database: Path) -> Iterator[Callable[[str], FaultHome]]:
    """Makes homes, each on a database of its own."""
    made: list[FaultHome] = []

    def make(name: str) -> FaultHome:
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(empty_database, folder / "mlflow.db")
        made.append(FaultHome(folder))
        return made[-1]

    yield make
    for each in made:
        each.kill_sidecars()
