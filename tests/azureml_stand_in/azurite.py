"""Azurite, the blob storage emulator, in memory on loopback."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from faults.http_faults import Reply, ask
from servers.mlflow_server import free_port

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

ACCOUNT = "studbookstandin"
CONTAINER = "azureml"
BLOB_HOST = f"{ACCOUNT}.blob.core.windows.net"
_PROGRAM = Path(__file__).parents[2] / ".azurite" / "node_modules" / ".bin" / "azurite-blob"
_PAUSE_S = 0.05


@dataclass(frozen=True)
class Blobs:
    """A running storage account: where it listens, and the key that signs."""

    port: int
    key: str = field(repr=False)

    def container(self) -> ContainerClient:
        """The container behind everybody's back: no shared access signature, no faults."""
        from azure.storage.blob import ContainerClient

        return ContainerClient(f"http://127.0.0.1:{self.port}/{ACCOUNT}", CONTAINER, credential=self.key)

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """What the account answers to a request that was sent to its real name."""
        passed = {name: value for name, value in headers.items() if name.lower() != "host"}
        return ask(f"127.0.0.1:{self.port}", method, f"/{ACCOUNT}{path}", passed, body)

    def link(self, name: str, permission: str, life: timedelta) -> str:
        """The blob's address with a shared access signature, under the storage account's real name."""
        from azure.storage.blob import generate_blob_sas

        signature = generate_blob_sas(
            ACCOUNT,
            CONTAINER,
            name,
            account_key=self.key,
            permission=permission,
            expiry=datetime.now(UTC) + life,
        )
        return f"https://{BLOB_HOST}/{CONTAINER}/{quote(name)}?{signature}"


@contextmanager
def azurite(folder: Path) -> Iterator[Blobs]:
    """A storage account with its container, while it runs."""
    node = shutil.which("node")
    assert node, "node is missing: `.ci/azurite` installs it"
    assert _PROGRAM.exists(), "Azurite is missing: `.ci/azurite` installs it"
    blobs = Blobs(free_port(), base64.b64encode(os.urandom(32)).decode())
    command = [node, str(_PROGRAM.resolve()), "--blobHost", "127.0.0.1", "--blobPort", str(blobs.port)]
    with (folder / "azurite.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--inMemoryPersistence", "--silent", "--disableTelemetry"],
            env={**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{blobs.key}"},
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        _wait_until_it_listens(blobs.port, process, folder / "azurite.log")
        with blobs.container() as container:
            container.create_container()
        yield blobs
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_it_listens(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """The suite's time limit ends one that never does."""
    pause = threading.Event()
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            pause.wait(_PAUSE_S)
        else:
            return
    raise AssertionError(f"Azurite has ended: {log.read_text()[-2000:]}")
