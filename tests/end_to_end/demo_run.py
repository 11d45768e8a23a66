"""Runs the demo in a folder, as a newcomer does."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STUDBOOK = Path(sys.executable).with_name("studbook")


@dataclass(frozen=True, slots=True)
class DemoRun:
    """A folder in which `studbook demo --json` was run, where its runs are, and what it said."""

    folder: Path
    uri: str
    document: dict[str, Any]
    progress: str


def run_demo(folder: Path, uri: str | None = None) -> DemoRun:
    """Run the demo in `folder` with few trials, by default on a SQLite store there; it must succeed."""
    options = [] if uri is None else ["--tracking-uri", uri]
    command = [str(STUDBOOK), *options, "demo", "--trials", "8", "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    return DemoRun(folder, uri or f"sqlite:///{folder / 'mlflow.db'}", json.loads(done.stdout), done.stderr)
