"""Calls of `studbook migrate`, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

_NONE: Mapping[str, str] = MappingProxyType({})


def start(folder: Path, *arguments: str, variables: Mapping[str, str] = _NONE) -> subprocess.Popen[str]:
    """A call that runs in the folder, with these variables more than the tests have."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("STUDBOOK_", "MLFLOW_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "studbook.entrypoints.cli.main", "migrate", *arguments],
        cwd=folder,
        env={**kept, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def migrate(folder: Path, *arguments: str, variables: Mapping[str, str] = _NONE) -> tuple[int, Any, str]:
    """Exit code, document, and what was said beside it."""
    process = start(folder, *arguments, "--json", variables=variables)
    out, err = process.communicate(timeout=240)
    assert "Traceback" not in err, err
    return process.returncode, json.loads(out), err
