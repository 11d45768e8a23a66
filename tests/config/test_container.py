"""The container builds everything, for every backend that the settings accept."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from studbook.config.container import Container
from studbook.config.settings import load_settings
from studbook.domain.errors import ConfigError

EVERY = sorted(Container.providers)
NAMES = [name for name in EVERY if name != "workspace"]
"""Those of every target."""
STORES = ("tracking_store", "artifact_store")
_WORKSPACE = (
    "azureml://westeurope.api.azureml.ms/mlflow/v1.0/subscriptions/s/resourceGroups/g"
    "/providers/Microsoft.MachineLearningServices/workspaces/w"
)


def container(folder: Path, uri: str, artifact_root: str | None = None) -> Container:
    said = {"tracking.uri": uri, "tracking.artifact_root": artifact_root}
    loaded = load_settings(folder, said, {})
    return Container(loaded=loaded, version="1.2.3")


def close(wired: Container) -> None:
    wired.bus().close()
    wired.event_log().close()
    wired.tracking_store().close()
    wired.artifact_store().close()


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **named: object) -> None:
        raise AssertionError(f"the network was asked for {arguments} {named}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.parametrize("uri", ["memory://", "sqlite:///mlflow.db"])
def test_every_provider_builds(tmp_path: Path, uri: str) -> None:
    wired = container(tmp_path, uri)
    built = {name: getattr(wired, name)() for name in NAMES}
    assert [name for name, found in built.items() if found is None] == []
    close(wired)


@pytest.mark.parametrize(
    "uri", ["http://tracking.invalid:5000", "https://user:secret@tracking.invalid/mlflow"]
)
@pytest.mark.usefixtures("no_network")
def test_building_for_a_server_touches_no_network(tmp_path: Path, uri: str) -> None:
    wired = container(tmp_path, uri)
    built = {name: getattr(wired, name)() for name in NAMES}
    assert [name for name, found in built.items() if found is None] == []
    close(wired)


@pytest.mark.usefixtures("no_network")
def test_building_for_a_database_server_touches_no_network(tmp_path: Path) -> None:
    wired = container(tmp_path, "postgresql://user:secret@db.invalid/mlflow", artifact_root="files")
    built = {name: getattr(wired, name)() for name in NAMES}
    assert [name for name, found in built.items() if found is None] == []
    close(wired)


def test_a_database_server_needs_a_place_for_files_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        container(tmp_path, "postgresql://user:secret@db.invalid/mlflow").tracking_store()
    assert "tracking.artifact_root" in caught.value.cure
    assert "secret" not in str(caught.value)


def test_a_database_server_needs_a_driver_at_once(tmp_path: Path) -> None:
    wired = container(tmp_path, "mysql+nodriver://user:secret@db.invalid/mlflow", artifact_root="files")
    with pytest.raises(ConfigError) as caught:
        wired.tracking_store()
    assert caught.value.cure == "pip install nodriver"
    assert "secret" not in str(caught.value)


@pytest.mark.usefixtures("no_network")
def test_building_for_a_workspace_touches_no_network(tmp_path: Path) -> None:
    wired = container(tmp_path, _WORKSPACE)
    built = {name: getattr(wired, name)() for name in EVERY}
    assert [name for name, found in built.items() if found is None] == []
    close(wired)


def test_what_names_no_workspace_is_refused_where_a_store_is_needed(tmp_path: Path) -> None:
    wired = container(tmp_path, "azureml://westeurope.api.azureml.ms/mlflow/v1.0/subscriptions/s")
    for name in (*STORES, "backend_checkup"):
        with pytest.raises(ConfigError, match="names no Azure ML workspace"):
            getattr(wired, name)()


def test_what_is_built_once_is_shared(tmp_path: Path) -> None:
    wired = container(tmp_path, "memory://")
    assert wired.tracking_store() is wired.tracking_store()
    assert wired.catalog() is wired.catalog()
    assert wired.home() == wired.home()
    assert container(tmp_path, "memory://").bus() is not wired.bus()


def test_a_book_in_memory_leaves_the_project_alone(tmp_path: Path) -> None:
    wired = container(tmp_path, "memory://")
    for name in NAMES:
        getattr(wired, name)()
    assert list(tmp_path.iterdir()) == []
    assert not wired.home().is_relative_to(tmp_path)


def test_no_vendor_is_imported_by_wiring(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from studbook.config.container import Container
from studbook.config.settings import load_settings
for uri in ("memory://", "sqlite:///mlflow.db", "http://tracking.invalid"):
    wired = Container(loaded=load_settings(Path(sys.argv[1]), {"tracking.uri": uri}, {}), version="1")
    wired.project(), wired.event_log(), wired.ledger(), wired.locks(), wired.recorder(), wired.opening()
print(sorted({name.partition(".")[0] for name in sys.modules} & {"mlflow", "optuna", "azure", "pandas", "sqlalchemy"}))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
