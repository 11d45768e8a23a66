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
    """A folder in which `studbook demo --json` was run, and what it said."""

    folder: Path
    document: dict[str, Any]
    progress: str

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder / 'mlflow.db'}"


def run_demo(folder: Path, *options: str) -> DemoRun:
    """Run the demo in `folder` with few trials; it must succeed."""
    command = [str(STUDBOOK), *options, "demo", "--trials", "8", "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    return DemoRun(folder, json.loads(done.stdout), done.stderr)
