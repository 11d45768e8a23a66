"""Runs the demo in a folder, as a newcomer does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

STUDBOOK = Path(sys.executable).with_name("studbook")


@dataclass(frozen=True, slots=True)
class DemoRun:
    """A folder in which `studbook demo --json` was run, where its runs are, and what it said.

    Stock MLflow reads the runs at `reader`; `variables` lead there from `uri`.
    """

    folder: Path
    uri: str
    reader: str
    variables: Mapping[str, str]
    document: dict[str, Any]
    progress: str

    def again(self) -> DemoRun:
        """Once more in the same folder."""
        return run_demo(self.folder, self.uri, self.reader, self.variables)

    def ask(self, *arguments: str | Path) -> Any:
        """The document that another machine gets for these arguments, which must succeed."""
        with tempfile.TemporaryDirectory() as elsewhere:
            options = ("--tracking-uri", self.uri, "--home", elsewhere)
            done = _studbook((*options, *arguments, "--json"), self.folder, self.variables)
        return json.loads(done.stdout)


def run_demo(
    folder: Path,
    uri: str | None = None,
    reader: str | None = None,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> DemoRun:
    """Run the demo in `folder` with few trials, by default on a SQLite store there; it must succeed."""
    options = [] if uri is None else ["--tracking-uri", uri]
    done = _studbook((*options, "demo", "--trials", "8", "--json"), folder, variables)
    uri = uri or f"sqlite:///{folder / 'mlflow.db'}"
    return DemoRun(folder, uri, reader or uri, variables, json.loads(done.stdout), done.stderr)


def _studbook(
    arguments: Iterable[str | Path], folder: Path, variables: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [STUDBOOK, *arguments],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done
