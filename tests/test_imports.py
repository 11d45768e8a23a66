"""What importing costs: vendors load when they are needed, and not before."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import studbook

_HEAVY = {"mlflow", "optuna", "pandas", "sklearn", "numpy", "azure", "pydantic"}


def modules_loaded(*command: str) -> set[str]:
    """The top-level modules that a call of Python imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={key: value for key, value in os.environ.items() if not key.startswith("COVERAGE")},
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def test_the_measure_sees_what_is_loaded() -> None:
    loaded = modules_loaded("-c", "from studbook import RunQuery")
    assert {"studbook", "pydantic"} <= loaded


def test_importing_studbook_loads_no_vendor() -> None:
    loaded = modules_loaded("-c", "import studbook; studbook.__all__")
    assert "studbook" in loaded
    assert not loaded & _HEAVY


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["config", "--help"]])
def test_the_help_loads_no_vendor(arguments: list[str]) -> None:
    loaded = modules_loaded(str(Path(sys.executable).with_name("studbook")), *arguments)
    assert "typer" in loaded
    assert not loaded & (_HEAVY - {"pydantic"})


def test_settings_load_no_tracking_client() -> None:
    loaded = modules_loaded(str(Path(sys.executable).with_name("studbook")), "config", "show")
    assert "pydantic_settings" in loaded
    assert not loaded & (_HEAVY - {"pydantic"})


@pytest.mark.parametrize("name", studbook.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(studbook, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        studbook.no_such_name  # noqa: B018
    assert dir(studbook) == studbook.__all__
