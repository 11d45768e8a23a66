"""Many calls of the command line, one after the other in one other process: one that needs MLflow starts slowly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

_CALLER = """
import contextlib, io, json, sys
from studbook.entrypoints.cli.main import main

refs = {}
answers = {}
for name, arguments in json.load(sys.stdin):
    sys.argv = ["studbook", *(argument.format(**refs) for argument in arguments)]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main()
        except SystemExit as leaving:
            code = leaving.code
    answers[name] = [code, out.getvalue(), err.getvalue()]
    if code == 0 and "--json" in arguments:
        document = json.loads(out.getvalue())
        if isinstance(document, dict):
            refs.update({f"{name}_{key}": value for key, value in document.items() if isinstance(value, str)})
json.dump(answers, sys.stdout)
"""

_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Answer:
    """What one call gave."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


def answers_to(
    calls: Iterable[tuple[str, Sequence[str]]], folder: Path, variables: Mapping[str, str] = _NONE
) -> dict[str, Answer]:
    """The answers by name. `{<name>_<key>}` in a call is what an earlier one's document has there."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("STUDBOOK_", "MLFLOW_"))}
    done = subprocess.run(
        [sys.executable, "-c", _CALLER],
        input=json.dumps(list(calls)),
        cwd=folder,
        env={**kept, "COLUMNS": "80", **variables},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {name: Answer(*given) for name, given in json.loads(done.stdout).items()}
