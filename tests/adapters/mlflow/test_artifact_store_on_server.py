"""The artifact store through a real MLflow server that proxies its artifacts."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from studbook.adapters.mlflow.artifact_store import MlflowArtifactStore
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.domain.keys import RunKey
from studbook.ports.artifact_store import ArtifactStore
from studbook.ports.contract.artifact_store import ArtifactStoreContract, MakeRun
from studbook.ports.tracking_store import NewRun


@dataclass(frozen=True)
class Server:
    uri: str
    artifacts: Path


@pytest.fixture(scope="module")
def server(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(empty_database, folder / "mlflow.db")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{folder / 'mlflow.db'}",
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(folder / "artifacts"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    command = [sys.executable, "-m", "uvicorn", "mlflow.server.fastapi_app:app", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--log-level", "warning"],
            env=environment,
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}/health", process)
        yield Server(f"http://127.0.0.1:{port}", folder / "artifacts")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def wait_until_healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    """Returns when the server answers; the suite's time limit ends a server that never does."""
    pause = threading.Event()
    while process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
                assert answer.status == 200
                return
        except urllib.error.URLError:
            pause.wait(0.1)
    pytest.fail("the MLflow server has ended")


class TestProxiedArtifacts(ArtifactStoreContract):
    @pytest.fixture
    def make_run(self, server: Server) -> Iterator[MakeRun]:
        self.artifacts = server.artifacts
        tracking = MlflowTrackingStore(server.uri, run_key_tag="studbook.run.key")
        numbers = itertools.count()

        def make() -> str:
            key = RunKey.of({"number": next(numbers), "test": os.urandom(8).hex()})
            return tracking.create_run(NewRun(key, "artifacts", "run", 1, {}))

        yield make
        tracking.close()

    @pytest.fixture
    def store(self, server: Server) -> Iterator[ArtifactStore]:
        store = MlflowArtifactStore(server.uri)
        yield store
        store.close()

    def corrupt(self, store: ArtifactStore, run_id: str, path: str, content: bytes | None) -> None:
        (folder,) = self.artifacts.glob(f"*/{run_id}/artifacts")
        if content is None:
            (folder / path).unlink()
        else:
            (folder / path).write_bytes(content)
