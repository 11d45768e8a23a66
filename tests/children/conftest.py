"""A book whose runs are shared with real child processes, over stores in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from children.family import Family


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Family]:
    """A parent, in a working directory of its own, with nothing said in the environment."""
    for name in [name for name in os.environ if name.startswith(("STUDBOOK_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    made = Family(tmp_path)
    yield made
    made.book.close()
