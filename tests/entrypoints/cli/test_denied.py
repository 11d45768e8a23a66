"""A server that refuses the credentials: nothing is lost, and whoever looks after the home is told to act."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from studbook import Studbook


class _NoEntry(BaseHTTPRequestHandler):
    def _refuse(self) -> None:
        self.send_response(401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = _refuse  # noqa: N815  # the names that the server looks for

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _NoEntry) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_address[1]}"
        listening.shutdown()
        thread.join()


def _studbook(folder: Path, uri: str, *words: str) -> tuple[int, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "studbook.entrypoints.cli.main", "--home", "home", "--json", *words],
        cwd=folder,
        env={"PATH": "", "PYTHONPATH": ":".join(sys.path), "MLFLOW_TRACKING_URI": uri},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    return done.returncode, json.loads(done.stdout)


def test_sync_and_status_ask_for_attention(server: str, tmp_path: Path) -> None:
    with Studbook.open(server, home=tmp_path / "home", delivery="manual") as book, book.run("mine"):
        pass
    code, said = _studbook(tmp_path, server, "sync")
    assert (code, said["error"]["type"]) == (4, "TrackingDenied")
    code, said = _studbook(tmp_path, server, "status")
    (target,) = said["targets"]
    assert (code, target["pending"]) == (4, 2)
    assert "refuses these credentials" in target["problem"]
