"""What a terminal gets and a pipe does not: the pager, links; and what becomes of a reader that leaves."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

_SHOW = """
import sys
from studbook.entrypoints.cli.output import Link, Output, table
rows = [[Link(f"run-{number}", f"http://host/{number}"), number] for number in range(int(sys.argv[1]))]
Output(as_json=False).show(None, lambda: table(["run", "n"], rows), paged=True)
"""
_STREAM = """
import sys
from studbook.entrypoints.cli import main, verbs
verbs.VERBS["endless"] = verbs.Verb("endless", "endless", "")
class Endless:
    def endless(cli):
        cli.output.rows([number] for number in range(10**9))
sys.modules["studbook.entrypoints.cli.endless"] = Endless
sys.argv = ["studbook", "endless"]
sys.exit(main.main())
"""


def on_a_terminal(folder: Path, rows: int, variables: Mapping[str, str]) -> str:
    """What the terminal shows, of 40 lines."""
    ours, theirs = pty.openpty()
    kept = {k: v for k, v in os.environ.items() if k not in ("PAGER", "LESS", "NO_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-c", _SHOW, str(rows)],
        cwd=folder,
        env={**kept, "LINES": "40", "COLUMNS": "80", "TERM": "xterm", **variables},
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # Linux tells so that nobody holds the other end any more
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return shown.decode()


@pytest.fixture
def pager(tmp_path: Path) -> str:
    """A pager that keeps what it is given."""
    return f"tee {tmp_path / 'paged'} >/dev/null"


def test_a_long_answer_goes_through_the_users_pager(tmp_path: Path, pager: str) -> None:
    shown = on_a_terminal(tmp_path, 100, {"PAGER": pager})
    paged = (tmp_path / "paged").read_text()
    assert "run-0" in paged
    assert "run-99" in paged
    assert "\x1b" not in paged
    assert "run-99" not in shown


def test_without_a_pager_that_works_a_long_answer_is_shown_all_the_same(tmp_path: Path) -> None:
    assert "run-99" in on_a_terminal(tmp_path, 100, {"PAGER": "no-such-pager"})


def test_a_short_answer_stays_on_the_terminal_with_its_links(tmp_path: Path, pager: str) -> None:
    shown = on_a_terminal(tmp_path, 5, {"PAGER": pager})
    assert not (tmp_path / "paged").exists()
    assert "run-4" in shown
    assert "http://host/4" in shown


def test_a_pipe_gets_everything_plain(tmp_path: Path, pager: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SHOW, "100"],
        cwd=tmp_path,
        env={**os.environ, "PAGER": pager},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not (tmp_path / "paged").exists()
    assert len(done.stdout.splitlines()) == 102
    assert "\x1b" not in done.stdout
    assert "http" not in done.stdout


def test_a_reader_that_leaves_ends_the_answer_without_a_word(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _STREAM],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "0\n"
    process.stdout.close()
    assert process.wait(60) == 1
    assert process.stderr.read() == ""
    process.stderr.close()
