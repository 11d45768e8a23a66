"""Training scripts, run as people run them: by an interpreter of their own."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from faults.fault_home import FaultHome
from faults.waiting import PATIENCE_S

_PREAMBLE = """
import atexit, os, signal, sys, threading, time
from studbook import Studbook

def open_book(exit_timeout=120):
    return Studbook.open({uri!r}, home={home!r}, experiment={experiment!r}, delivery={delivery!r},
                         overrides={{"delivery.exit_timeout": exit_timeout}})

def ready():
    print("ready", flush=True)
    sys.stdin.readline()
"""


@dataclass(frozen=True)
class Ended:
    """How a script ended: its exit code (negative: the signal), and what it printed."""

    code: int
    words: str
    errors: str


def command(home: FaultHome, body: str, delivery: str = "manual") -> list[str]:
    """The script, with `open_book()` and `ready()`, which says so and waits for a line."""
    preamble = _PREAMBLE.format(
        uri=home.uri, home=str(home.home), experiment=home.experiment, delivery=delivery
    )
    return [sys.executable, "-c", preamble + textwrap.dedent(body)]


def run_script(home: FaultHome, body: str, delivery: str = "manual") -> Ended:
    """Run it to its end, in a session of its own."""
    done = subprocess.run(
        command(home, body, delivery),
        cwd=home.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        start_new_session=True,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@contextmanager
def ready_script(home: FaultHome, body: str, delivery: str = "manual") -> Iterator[subprocess.Popen[str]]:
    """A script that waits where it calls `ready()`."""
    with subprocess.Popen(
        command(home, body, delivery),
        cwd=home.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()
