"""What a training pays for its delivery: its loop in each state of the server, and what other threads take from it."""

from __future__ import annotations

import logging
import multiprocessing
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

from faults.down import no_server
from faults.fault_home import FaultHome
from faults.http_faults import Answer, FaultyProxy
from faults.waiting import wait_for
from servers.mlflow_server import bare_app
from studbook.application.run_handle import RunHandle

from .figure import Figure, Unit, cost
from .measure import Task, in_turns, timed
from .peer import database_uri

_ROUNDS = 12
_STEPS = 2_000
_WORK = 2_000_000
_BACKLOG = 500

_AtWork = Callable[[FaultHome], object]
"""Returns when the relay process of the home is at work, as far as it can be."""


def run(folder: Path) -> list[Figure]:
    """With a relay process beside it; the loop logs metrics and does nothing else, so that nothing hides a wait."""
    logging.getLogger("studbook").setLevel(logging.ERROR)
    with ExitStack() as servers:
        healthy = servers.enter_context(_server(folder / "server"))
        down = servers.enter_context(no_server())
        silent = servers.enter_context(socket.create_server(("127.0.0.1", 0), backlog=128))
        busy = servers.enter_context(_busy_server())
        states = {
            "healthy": (healthy, _delivers),
            "down": (down, _fails),
            "silent": (f"http://127.0.0.1:{silent.getsockname()[1]}", lambda _: _is_asked(silent)),
            "answering 503": (busy, _fails),
        }
        tasks = [servers.enter_context(_loop(folder / "alone", down, None))]
        for name, (uri, at_work) in states.items():
            tasks.append(servers.enter_context(_loop(folder / name, uri, at_work)))
        alone, *beside = in_turns(tasks, _ROUNDS)
        figures = [
            cost(f"the loop, the server {name}", taken, alone, named=("loop", "nobody delivers"))
            for name, taken in zip(states, beside, strict=True)
        ]
        return [*figures, *_interference(folder / "book", healthy)]


@contextmanager
def _loop(folder: Path, uri: str, at_work: _AtWork | None) -> Iterator[Task]:
    """Seconds a step of a book's training, the relay process being at work; None: there is none.

    What can be delivered is, off the clock, so that it disturbs no other loop.
    """
    folder.mkdir(parents=True)
    mode: Literal["manual", "sidecar"] = "manual" if at_work is None else "sidecar"
    with (
        FaultHome(folder, uri, experiment="loop").ends() as home,
        home.open_book(mode, exit_timeout_s=0) as book,
        book.run("bench") as handle,
    ):
        if at_work is not None:
            at_work(home)

        def task() -> float:
            begun = time.perf_counter()
            _log(handle, _STEPS)
            taken = (time.perf_counter() - begun) / _STEPS
            if at_work is _delivers:
                book.flush()
            return taken

        yield task


def _interference(folder: Path, uri: str) -> list[Figure]:
    """Pure Python beside a book whose events are being delivered by the relay process, and alone."""
    folder.mkdir(parents=True)
    shares: list[float] = []
    with (
        FaultHome(folder, uri, experiment="work").ends() as home,
        home.open_book("sidecar", 0) as book,
        book.run("bench") as handle,
    ):
        _delivers(home)

        def beside() -> float:
            _log(handle, _BACKLOG)
            began, process, thread = time.perf_counter(), time.process_time(), time.thread_time()
            _work()
            taken = time.perf_counter() - began
            others = (time.process_time() - process) - (time.thread_time() - thread)
            shares.append(100 * max(0.0, others) / taken)
            return taken

        beside_s, alone_s = in_turns([beside, timed(_work)], _ROUNDS)
    return [
        cost("pure Python beside an open book", beside_s, alone_s, named=("beside", "alone")),
        Figure(
            "the process's other threads, of its time",
            Unit.PERCENT,
            tuple(shares[1:]),
            "processor time, so no more than that can be theirs of the interpreter lock",
            1.0,
        ),
    ]


def _log(handle: RunHandle, steps: int) -> None:
    for step in range(steps):
        handle.log_metrics({"loss": 0.1 + step}, step)


def _work() -> int:
    total = 0
    for number in range(_WORK):
        total += number % 7
    return total


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    database_uri(folder / "template")
    with bare_app(folder, folder / "template" / "mlflow.db") as server:
        yield server.uri


@contextmanager
def _busy_server() -> Iterator[str]:
    """A server that answers 503, in a process of its own."""
    processes = multiprocessing.get_context("spawn")
    here, there = processes.Pipe()
    process = processes.Process(target=_answer_503, args=(there,))
    process.start()
    try:
        yield str(here.recv())
    finally:
        process.kill()
        process.join()


def _answer_503(said: Connection) -> None:
    with FaultyProxy("http://127.0.0.1:1") as proxy:
        proxy.on("", Answer(503), times=None)
        said.send(proxy.uri)
        said.recv()


def _delivers(home: FaultHome) -> None:
    wait_for("deliveries", home.delivered)


def _fails(home: FaultHome) -> None:
    wait_for("a try that fails", home.failed_tries)


def _is_asked(listening: socket.socket) -> None:
    """Takes the connection that a relay has made, and leaves it at that."""
    select.select([listening], [], [])
    connection, _ = listening.accept()
    connection.detach()
