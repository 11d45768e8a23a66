"""trackio, in an environment of its own: it is no dependency of studbook, nor of its development."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from .measure import Task

REQUIREMENT = "trackio==0.43.0"
_CALLS = 5_000
_INSTALLING_S = 900.0

_LOOP = """
import sys, time, trackio
calls = int(sys.argv[1])
run = trackio.init(project="bench", name="bench", embed=False)

def log(count):
    begun = time.perf_counter()
    for step in range(count):
        run.log({"loss": 0.1 + step}, step=step)
    return (time.perf_counter() - begun) / count

log(500)
taken = log(calls)
trackio.finish()
print(taken)
"""


class NotInstalled(Exception):
    """pip could not install it here; says why."""


def trackio_task(folder: Path) -> Task:
    """Logging to a run on this machine, in a process of its own. Raises NotInstalled."""
    python = _environment(folder / "environment")
    settings = {**os.environ, "TRACKIO_DIR": str(folder / "data"), "HF_HUB_OFFLINE": "1"}

    def task() -> float:
        done = subprocess.run(
            [python, "-c", _LOOP, str(_CALLS)], env=settings, capture_output=True, text=True, check=True
        )
        return float(done.stdout.split()[-1])

    return task


def _environment(folder: Path) -> Path:
    """A Python that has it and what it needs."""
    python = folder / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", REQUIREMENT]
    try:
        for command in ([sys.executable, "-m", "venv", str(folder)], install):
            subprocess.run(command, capture_output=True, text=True, check=True, timeout=_INSTALLING_S)
    except subprocess.SubprocessError as error:
        said = str(getattr(error, "stderr", "") or error).strip().splitlines()
        raise NotInstalled(said[-1] if said else type(error).__name__) from error
    return python
