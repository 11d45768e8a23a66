"""Processes that say over a pipe what they do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from typing import Any

from faults.waiting import PATIENCE_S


@contextmanager
def running(processes: ForkServerContext, target: Any, *args: object) -> Iterator[tuple[Any, Connection]]:
    """A process, and what it says."""
    here, there = processes.Pipe()
    process = processes.Process(target=target, args=(*args, there))
    process.start()
    there.close()
    try:
        yield process, here
    finally:
        process.kill()
        process.join(PATIENCE_S)
        here.close()


def told(said: Connection, count: int) -> list[Any]:
    """So many messages."""
    found = []
    for _ in range(count):
        assert said.poll(PATIENCE_S)
        found.append(said.recv())
    return found


def told_until_the_end(said: Connection) -> list[Any]:
    """All messages until the process is gone; one that broke off is none."""
    found = []
    with suppress(EOFError, ConnectionResetError):
        while said.poll(PATIENCE_S):
            found.append(said.recv())
    return found
