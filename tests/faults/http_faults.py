"""A reverse proxy on loopback that breaks chosen requests in chosen ways, and writes all of them down."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import urlsplit, urlunsplit

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"})
_WAIT_S = 30.0


@dataclass(frozen=True)
class Reply:
    """What the server behind answered, or what is answered in its place."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


_RESET = Reply(0)


@dataclass(frozen=True)
class Recorded:
    """One request, and when it arrived (monotonic). `committed` is the status of the server behind, None if it was
    not asked.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    committed: int | None
    at_s: float


class Fault:
    """What happens to a request. `before` answers without the server behind, `passed` changes what that gets, and
    `after` its answer.
    """

    def __repr__(self) -> str:
        return type(self).__name__

    def before(self, exchange: Exchange) -> Reply | None:
        """A reply in the server's place; None passes the request on."""
        return None

    def passed(self, headers: Mapping[str, str], body: bytes) -> tuple[Mapping[str, str], bytes]:
        """The request's headers and body that the server behind gets."""
        return headers, body

    def after(self, exchange: Exchange, reply: Reply) -> None:
        """Sends the reply, whole or not."""
        exchange.send(reply)


@dataclass(frozen=True)
class Answer(Fault):
    """Answers in the server's place: nothing was done."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def before(self, exchange: Exchange) -> Reply | None:
        return Reply(self.status, self.headers, self.body)


@dataclass(frozen=True)
class AnswerAfter(Fault):
    """The server did it, and something before it answers otherwise."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def after(self, exchange: Exchange, reply: Reply) -> None:
        exchange.send(Reply(self.status, self.headers, self.body))


class ResetBefore(Fault):
    """The connection breaks before the server sees the request."""

    def before(self, exchange: Exchange) -> Reply | None:
        return _RESET


class ResetAfter(Fault):
    """The server did it, and the connection breaks before its answer arrives."""

    def after(self, exchange: Exchange, reply: Reply) -> None:
        exchange.reset()


class HangAfter(Fault):
    """The server did it, and says nothing until `release`, when the connection breaks."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._released = threading.Event()

    def wait_until_hanging(self) -> None:
        """Returns when a request hangs."""
        assert self._reached.wait(_WAIT_S), "no request came to hang"

    def release(self) -> None:
        """Let it go."""
        self._released.set()

    def hang(self, exchange: Exchange) -> None:
        """Say nothing until `release`."""
        self._reached.set()
        exchange.wait_for(self._released)

    def after(self, exchange: Exchange, reply: Reply) -> None:
        self.hang(exchange)
        exchange.reset()


class HangBefore(HangAfter):
    """Nothing is done until `release`; then the server is asked, if anybody still wants to know or not."""

    def before(self, exchange: Exchange) -> Reply | None:
        self.hang(exchange)
        return None

    def after(self, exchange: Exchange, reply: Reply) -> None:
        exchange.send(reply)


class Stall(HangAfter):
    """The body stops after `keep` bytes, and nothing follows until `release`, when the connection breaks."""

    def __init__(self, keep: int) -> None:
        super().__init__()
        self._keep = keep

    def after(self, exchange: Exchange, reply: Reply) -> None:
        exchange.send(Reply(reply.status, reply.headers, reply.body[: self._keep]), len(reply.body))
        super().after(exchange, reply)


@dataclass(frozen=True)
class Cut(Fault):
    """The body ends after `keep` bytes. Without an announced length that looks like its end."""

    keep: int
    announced: bool

    def after(self, exchange: Exchange, reply: Reply) -> None:
        length = len(reply.body) if self.announced else None
        exchange.send(Reply(reply.status, reply.headers, reply.body[: self.keep]), length, close=True)


@dataclass(frozen=True)
class Flip(Fault):
    """One bit of the body's byte at `offset` arrives flipped."""

    offset: int = 0

    def after(self, exchange: Exchange, reply: Reply) -> None:
        exchange.send(Reply(reply.status, reply.headers, _flipped(reply.body, self.offset)))


@dataclass(frozen=True)
class KeepPart(Fault):
    """The server gets the first `keep` bytes of the body, and takes them for all: nobody hears of digests."""

    keep: int

    def passed(self, headers: Mapping[str, str], body: bytes) -> tuple[Mapping[str, str], bytes]:
        return _without_digest(headers), body[: self.keep]

    def after(self, exchange: Exchange, reply: Reply) -> None:
        exchange.send(Reply(reply.status, _without_digest(reply.headers), reply.body))


@dataclass(frozen=True)
class FlipSent(Fault):
    """One bit of the body's byte at `offset` is flipped on the way to the server."""

    offset: int = 0

    def passed(self, headers: Mapping[str, str], body: bytes) -> tuple[Mapping[str, str], bytes]:
        return headers, _flipped(body, self.offset)


def _without_digest(headers: Mapping[str, str]) -> Mapping[str, str]:
    return {name: value for name, value in headers.items() if name.lower() != "content-md5"}


def _flipped(body: bytes, offset: int) -> bytes:
    flipped = bytearray(body)
    flipped[offset] ^= 1
    return bytes(flipped)


def ask(server: str, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
    """What the server, a host and port, answers to a request of its own."""
    connection = http.client.HTTPConnection(server, timeout=_WAIT_S)
    try:
        sent = {name: value for name, value in headers.items() if name.lower() != "content-length"}
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        content = answer.read()
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP}
        return Reply(answer.status, kept, content)
    finally:
        connection.close()


@dataclass
class _Rule:
    method: str | None
    pattern: re.Pattern[str]
    holding: bytes
    fault: Fault
    left: int | None

    def strikes(self, method: str, path: str, body: bytes) -> bool:
        return (
            self.method in (None, method) and self.pattern.search(path) is not None and self.holding in body
        )


class FaultyProxy:
    """Thread-safe; with `tls`, an https server. Listens while it is entered, unless it is `down`."""

    def __init__(self, upstream: str, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._upstream = urlsplit(upstream).netloc
        self._rules: list[_Rule] = []
        self._recorded: list[Recorded] = []
        self._lock = threading.RLock()
        self._recorded_more = threading.Condition(self._lock)
        self._closing = threading.Event()
        self._connections: set[socket.socket] = set()
        self._port = 0
        self._listener: ThreadingHTTPServer | None = None
        self.up()

    @property
    def uri(self) -> str:
        """Where it listens; the same when it comes up again."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        """The port of `uri`."""
        return self._port

    def on(
        self,
        pattern: str,
        fault: Fault,
        *,
        times: int | None = 1,
        method: str | None = None,
        holding: bytes = b"",
    ) -> None:
        """Break the next `times` (None: all) requests whose path and query match, and whose body holds `holding`; the
        oldest rule goes first.
        """
        with self._lock:
            self._rules.append(_Rule(method, re.compile(pattern), holding, fault, times))

    def requests(self, pattern: str = "", method: str | None = None) -> list[Recorded]:
        """The recorded requests whose path and query match, in their order."""
        with self._lock:
            return [
                one for one in self._recorded if re.search(pattern, one.path) and method in (None, one.method)
            ]

    def wait_for_requests(self, pattern: str, count: int) -> None:
        """Returns when so many requests that match are recorded: forwarded ones when they are answered."""
        with self._recorded_more:
            arrived = self._recorded_more.wait_for(lambda: len(self.requests(pattern)) >= count, _WAIT_S)
        assert arrived, f"{count} requests of {pattern} did not arrive"

    def forget(self) -> None:
        """Drop the rules and the record."""
        with self._lock:
            self._rules.clear()
            self._recorded.clear()

    def down(self) -> None:
        """Refuse connections, and break the open ones."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.shutdown()
            listener.server_close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def up(self) -> None:
        """Listen again, at the same port."""
        handler = cast("Callable[..., Any]", type("Handler", (_Handler,), {"proxy": self}))
        self._listener = _Listener(("127.0.0.1", self._port), handler)
        self._port = int(self._listener.server_address[1])
        if self._tls is not None:
            # The handshake is left to the connection's own thread: a silent client must not hold up others.
            self._listener.socket = self._tls.wrap_socket(
                self._listener.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=self._listener.serve_forever, args=(0.01,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self.down()

    def fault_for(self, method: str, path: str, body: bytes) -> Fault:
        """The fault of this request, used up."""
        with self._lock:
            for rule in self._rules:
                if rule.left != 0 and rule.strikes(method, path, body):
                    rule.left = None if rule.left is None else rule.left - 1
                    return rule.fault
        return Fault()

    def record(self, request: Recorded) -> None:
        """Write a request down."""
        with self._lock:
            self._recorded.append(request)
            self._recorded_more.notify_all()

    def forward(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """What the server behind answers."""
        # Whoever takes this for an HTTP proxy names the whole address, which is nothing for a server.
        return ask(self._upstream, method, urlunsplit(("", "", *urlsplit(path)[2:])), headers, body)

    def wait_for(self, event: threading.Event) -> None:
        """Returns when the event is set, or the proxy ends."""
        while not event.wait(0.05) and not self._closing.is_set():
            pass

    def opened(self, connection: socket.socket) -> None:
        """A connection to remember."""
        with self._lock:
            self._connections.add(connection)

    def closed(self, connection: socket.socket) -> None:
        """A connection to forget."""
        with self._lock:
            self._connections.discard(connection)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""


class Exchange:
    """One request and the connection that its reply goes to."""

    def __init__(self, handler: _Handler, proxy: FaultyProxy) -> None:
        self._handler = handler
        self._proxy = proxy

    def send(self, reply: Reply, length: int | None = -1, *, close: bool = False) -> None:
        """Send a reply; `length` is what is announced: -1 the true one, None nothing."""
        handler = self._handler
        if handler.command == "HEAD":
            length = next(
                (int(size) for name, size in reply.headers.items() if name.lower() == "content-length"), 0
            )
        handler.send_response_only(reply.status)
        for name, value in reply.headers.items():
            if name.lower() != "content-length":
                handler.send_header(name, value)
        if length is not None:
            handler.send_header("Content-Length", str(len(reply.body) if length < 0 else length))
        if close:
            handler.send_header("Connection", "close")
            handler.close_connection = True
        handler.end_headers()
        handler.wfile.write(reply.body)
        handler.wfile.flush()

    def reset(self) -> None:
        """Break the connection so that the other side sees a reset, and not an orderly end."""
        self._handler.close_connection = True
        connection = self._handler.connection
        self._proxy.closed(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # The handler's streams hold the socket open: only its descriptor can be closed at once.
        os.close(connection.detach())

    def wait_for(self, event: threading.Event) -> None:
        """Returns when the event is set, or the proxy ends."""
        self._proxy.wait_for(event)


class _Handler(BaseHTTPRequestHandler):
    proxy: FaultyProxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self) -> None:
        super().setup()
        self.proxy.opened(self.connection)

    def finish(self) -> None:
        self.proxy.closed(self.connection)
        super().finish()

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline:
            self.close_connection = True
            return
        if self.parse_request():
            self._serve()

    def _serve(self) -> None:
        at_s = time.monotonic()
        body = self._body()
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        fault = self.proxy.fault_for(self.command, self.path, body)
        exchange = Exchange(self, self.proxy)
        reply = fault.before(exchange)
        if reply is not None:
            self.proxy.record(Recorded(self.command, self.path, headers, body, None, at_s))
            if reply is _RESET:
                exchange.reset()
            else:
                exchange.send(reply)
            return
        reply = self.proxy.forward(self.command, self.path, *fault.passed(headers, body))
        self.proxy.record(Recorded(self.command, self.path, headers, body, reply.status, at_s))
        fault.after(exchange, reply)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body
