"""The shape of the code: layers, links, docstrings, lengths."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "studbook"
MODULES = sorted(PACKAGE.rglob("*.py"))
LAYERS = ["adapters", "application", "config", "domain", "ports"]


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """The contracts of pyproject.toml, held against the package in the folder's src."""
    script = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [script, "--config", str(ROOT / "pyproject.toml"), "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "src"), "COLUMNS": "300"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_layers_hold() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_planted_violations_break_the_contracts(tmp_path: Path) -> None:
    package = tmp_path / "src" / "studbook"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    planted = {
        "domain/planted_up.py": "from ..ports import clock",
        "application/planted_aside.py": "from ..adapters import journal",
        "adapters/memory/planted_aside.py": "from ...application import recorder",
        "adapters/journal/planted_mlflow.py": "def f():\n    import mlflow",
        "adapters/mlflow/planted_azure.py": "def f():\n    import azure.identity",
        "entrypoints/planted_optuna.py": "import optuna",
        "application/planted_yaml.py": "import yaml",
    }
    for name, text in planted.items():
        (package / name).write_text(f"{text}\n", encoding="utf-8")
    done = lint_imports(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Contracts: 0 kept, 5 broken." in done.stdout
    for name in planted:
        module = name.removesuffix(".py").replace("/", ".")
        assert f"studbook.{module}" in done.stdout, name


def test_a_package_outside_the_layers_breaks_the_contract(tmp_path: Path) -> None:
    package = tmp_path / "src" / "studbook"
    for name in (*LAYERS, "entrypoints", "planted"):
        (package / name).mkdir(parents=True)
        (package / name / "__init__.py").touch()
    (package / "__init__.py").touch()
    done = lint_imports(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "planted" in done.stdout


@pytest.mark.parametrize("name", LAYERS)
def test_each_layer_is_linked_at_the_root(name: str) -> None:
    link = ROOT / name
    assert link.is_symlink()
    assert link.readlink() == Path("src/studbook") / name
    assert (link / "__init__.py").is_file()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_each_module_says_what_it_is_and_is_not_too_long(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= 400


def test_only_our_own_processes_handle_signals_and_change_their_environment() -> None:
    own = {"entrypoints/cli/main.py", "entrypoints/relay_process.py", "entrypoints/own_process.py"}
    # MLflow deletes a variable on the way; it is put back.
    giving_back = {"adapters/mlflow/fluent_runs.py"}
    changing = ("signal.signal(", "os.environ[", "os.environ.setdefault(", "os.putenv(", "os.environ.pop(")
    found = {
        str(path.relative_to(PACKAGE))
        for path in MODULES
        if any(word in path.read_text(encoding="utf-8") for word in changing)
    }
    assert found == own | giving_back


def test_no_module_of_a_folder_re_exports_others() -> None:
    """A package's `__init__` is its docstring; only the public API has more."""
    for path in MODULES:
        if path.name == "__init__.py" and path.parent != PACKAGE:
            assert len(ast.parse(path.read_text(encoding="utf-8")).body) == 1, path
