"""A CONNECT proxy that leads the names of the cloud to the stand-in, and every other name nowhere."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

_TAKEN = re.compile(
    r"([a-z0-9-]+\.api\.azureml\.ms|[a-z0-9]+\.blob\.core\.windows\.net"
    r"|management\.azure\.com|login\.microsoftonline\.com|login\.microsoft\.com):443"
)
_PIECE = 1 << 16


@contextmanager
def connect_proxy(port: int) -> Iterator[str]:
    """Its address, while it listens. What it takes is led to `port` on loopback; the rest is answered with 502."""
    handler = type("Handler", (_Handler,), {"to": port})
    listener = ThreadingHTTPServer(("127.0.0.1", 0), cast(Any, handler))
    listener.daemon_threads = True
    threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.server_address[1]}"
    finally:
        listener.shutdown()
        listener.server_close()


class _Handler(BaseHTTPRequestHandler):
    to: int
    disable_nagle_algorithm = True

    def do_CONNECT(self) -> None:  # the method's name in HTTP
        if not _TAKEN.fullmatch(self.path):
            self.send_error(502, "not a name of the stand-in")
            return
        self.close_connection = True
        try:
            there = socket.create_connection(("127.0.0.1", self.to))
        except OSError:
            self.send_error(503, "the stand-in is down")
            return
        there.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.send_response_only(200)
        self.end_headers()
        back = threading.Thread(target=_pump, args=(there, self.connection), daemon=True)
        back.start()
        _pump(self.connection, there)
        back.join()
        there.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
        """Nothing to say."""


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Pass bytes on until there are none; a reset is passed on as an end of both directions."""
    try:
        while piece := source.recv(_PIECE):
            sink.sendall(piece)
        end = socket.SHUT_WR
    except OSError:
        end = socket.SHUT_RDWR
    with contextlib.suppress(OSError):
        sink.shutdown(end)
