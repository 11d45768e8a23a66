"""MLflow servers on loopback: the bare app for suites, and the command line as people start it."""

from __future__ import annotations

import configparser
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
_PAUSE_S = 0.1


@dataclass(frozen=True)
class Server:
    """A running server: its address, the files behind it, and its process group."""

    uri: str
    database: Path
    artifacts: Path
    group: int = 0


@contextmanager
def bare_app(
    folder: Path, empty_database: Path, port: int | None = None, artifact_root: str | None = None
) -> Iterator[Server]:
    """One process that serves runs and artifacts from `folder`, on a copy of the SQLite database, or on what an
    earlier one left there.
    """
    database = _server(folder, port).database
    if not database.exists():
        shutil.copy(empty_database, database)
    with bare_app_on(f"sqlite:///{database}", folder, port, artifact_root) as server:
        yield server


@contextmanager
def bare_app_on(
    database: str,
    folder: Path,
    port: int | None = None,
    artifact_root: str | None = None,
    *,
    destination: str | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Server]:
    """One process that serves the runs of the database at this URI, and artifacts from `folder`, or from the
    `destination`, for which it may need the `environment`; with an `artifact_root` none, and it tells its clients
    to go there.

    The variables with an underscore are MLflow's own way to tell its workers what the command line said.
    """
    server = _server(folder, port)
    command = [sys.executable, "-m", "uvicorn", "mlflow.server.fastapi_app:app", "--log-level", "warning"]
    settings = {
        "_MLFLOW_SERVER_FILE_STORE": database,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": artifact_root or "mlflow-artifacts:/",
        **environment,
    }
    if artifact_root is None:
        settings["_MLFLOW_SERVER_SERVE_ARTIFACTS"] = "true"
        settings["_MLFLOW_SERVER_ARTIFACT_DESTINATION"] = destination or str(server.artifacts)
    with _running(server, command, settings, folder) as running:
        yield running


@contextmanager
def command_line(folder: Path) -> Iterator[Server]:
    """`mlflow server` with one worker, which makes its database itself."""
    server = _server(folder)
    with _running(server, _command_line(server), {}, folder) as running:
        yield running


@contextmanager
def basic_auth(folder: Path, username: str, password: str) -> Iterator[Server]:
    """`mlflow server` that asks for a name and a password; this one is its administrator."""
    server = _server(folder)
    settings = {
        "MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(),
    }
    config = configparser.ConfigParser(interpolation=None)
    config["mlflow"] = {
        "default_permission": "READ",
        "database_uri": f"sqlite:///{folder / 'auth.db'}",
        "admin_username": username,
        "admin_password": password,
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
    }
    with (folder / "auth.ini").open("w") as file:
        config.write(file)
    command = [*_command_line(server), "--app-name", "basic-auth"]
    with _running(server, command, settings, folder) as running:
        yield running


def free_port() -> int:
    """A port that nothing listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _command_line(server: Server) -> list[str]:
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{server.database}"]
    return [*command, "--artifacts-destination", str(server.artifacts)]


def _server(folder: Path, port: int | None = None) -> Server:
    return Server(f"http://127.0.0.1:{port or free_port()}", folder / "mlflow.db", folder / "artifacts")


@contextmanager
def _running(
    server: Server, command: Sequence[str], settings: Mapping[str, str], folder: Path
) -> Iterator[Server]:
    port = server.uri.rpartition(":")[2]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", port],
            env={**os.environ, **_QUIET, **settings},
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait_until_healthy(f"{server.uri}/health", process, folder / "log")
        yield replace(server, group=process.pid)
    finally:
        _end_group(process)


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """The suite's time limit ends a server that never answers."""
    pause = threading.Event()
    while process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
                if answer.status == 200:
                    return
        except OSError:
            pause.wait(_PAUSE_S)
    raise AssertionError(f"the MLflow server has ended: {log.read_text()[-2000:]}")


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Ends the server and what it started; raises if anything of it is left."""
    if _group_lives(process.pid):
        os.killpg(process.pid, signal.SIGTERM)
    process.wait(30)
    pause = threading.Event()
    for _ in range(50):
        if not _group_lives(process.pid):
            return
        pause.wait(_PAUSE_S)
    os.killpg(process.pid, signal.SIGKILL)
    raise AssertionError("the MLflow server left processes behind")


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
