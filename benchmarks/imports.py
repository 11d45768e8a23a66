"""Starting: `import studbook` and `studbook --help` in fresh processes, against bare Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from .figure import Figure, Unit, cost
from .measure import Samples, Task, in_turns, timed, typical

_ROUNDS = 9
_HELP = (
    "import sys; sys.argv = ['studbook', '--help']; from studbook.entrypoints.cli.main import main; main()"
)
_SHUNNED = ("mlflow", "optuna", "azure", "pandas")


def run(folder: Path) -> list[Figure]:
    """Milliseconds more than bare Python, and in all."""
    codes = ["pass", "import studbook", _HELP, "from studbook import Studbook"]
    bare, package, helped, facade = in_turns([_process(code, folder) for code in codes], _ROUNDS)
    return [
        _more("import studbook, more than bare Python", package, bare, 150),
        Figure(
            "studbook --help, in all",
            Unit.MILLISECONDS,
            tuple(1000 * seconds for seconds in helped),
            f"imports of {', '.join(_SHUNNED)}: {', '.join(_shunned(folder)) or 'none'}",
            300,
        ),
        cost("import studbook against bare Python", package, bare, named=("studbook", "bare")),
        cost("studbook --help against bare Python", helped, bare, named=("studbook", "bare")),
        _more("from studbook import Studbook, more than bare Python", facade, bare, None),
    ]


def _more(what: str, ours: Samples, bare: Samples, bar: float | None) -> Figure:
    more = tuple(1000 * (mine - theirs) for mine, theirs in zip(ours, bare, strict=True))
    return Figure(what, Unit.MILLISECONDS, more, f"studbook {typical(ours)}, bare {typical(bare)}", bar)


def _process(code: str, folder: Path) -> Task:
    def work() -> None:
        subprocess.run([sys.executable, "-c", code], cwd=folder, stdout=subprocess.DEVNULL, check=True)

    return timed(work)


def _shunned(folder: Path) -> list[str]:
    """Which of the heavy packages `import studbook` and its help load."""
    code = (
        f"import sys, contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()):\n {_HELP}\n"
        f"print(*[name for name in {_SHUNNED} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.split()
