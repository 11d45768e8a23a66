"""The examples run as they are, and say what they promise."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(folder: Path, name: str, *arguments: str) -> str:
    """What an example prints."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("STUDBOOK_", "MLFLOW_"))}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        cwd=folder,
        env=kept,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_tested() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert [path.name for path in EXAMPLES.glob("*.py") if f'"{path.name}"' not in text] == []


def test_the_first_sweep_chooses_a_model_and_keeps_nothing_here(tmp_path: Path) -> None:
    printed = run(tmp_path, "first_sweep.py")
    assert re.search(r"^knn: best of \d+ trials is number \d+", printed, re.MULTILINE)
    assert re.search(r"^svm: best of \d+ trials is number \d+", printed, re.MULTILINE)
    chosen = re.search(r"^chosen: (knn|svm), macro-F1 (0\.\d+)$", printed, re.MULTILINE)
    assert chosen is not None
    assert float(chosen[2]) > 0.9
    assert re.search(r"^files:  VERIFIED, sha256:[0-9a-f]{64}$", printed, re.MULTILINE)
    assert ("SVC(" if chosen[1] == "svm" else "KNeighborsClassifier(") in printed
    assert list(tmp_path.iterdir()) == []


def test_a_book_wired_by_hand_uses_the_executor_that_it_was_given(tmp_path: Path) -> None:
    printed = run(tmp_path, "wire_it_yourself.py")
    assert [line for line in printed.splitlines() if line.startswith("trial ")] == [
        f"trial {number}" for number in range(5)
    ]
    assert "sweep completed: {'total': 5, 'complete': 5," in printed
    assert "wins by policy accuracy_latency" in printed
    assert list(tmp_path.iterdir()) == []


def test_a_second_run_over_a_database_recognises_the_first(tmp_path: Path) -> None:
    first = run(tmp_path, "wire_it_yourself.py", "sqlite:///mlflow.db")
    second = run(tmp_path, "wire_it_yourself.py", "sqlite:///mlflow.db")
    assert "trial 0" in first
    assert "trial " not in second.partition("sweep found")[0]
    assert first.partition("}\n")[2] == second.partition("}\n")[2]
