"""A worker on a host of its own: an outer run with nested ones, their metrics and files.

Says `open`, then `logged` with two runs still open; after each it goes on when it is told to.
"""

from __future__ import annotations

import sys
from pathlib import Path
from unittest.mock import patch

from studbook import Studbook
from studbook.application.run_handle import RunHandle
from studbook.domain.liveness import PidSpace

EXPERIMENT = "many-hosts"
NESTED = ("first", "second", "last")
LOSSES = tuple(1 / (step + 1) for step in range(50))
ARTIFACT = "notes"


def content(host: str, name: str) -> str:
    """What the file of a nested run says."""
    return f"{name} run of {host}\n" * 1000


def _said(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()
    sys.stdin.readline()


def _log(run: RunHandle, host: str, name: str, scratch: Path) -> None:
    for step, loss in enumerate(LOSSES):
        run.log_metrics({"loss": loss}, step=step)
    (scratch / name).write_text(content(host, name))
    run.log_artifact(scratch / name, name=ARTIFACT)


def _work(book: Studbook, host: str, scratch: Path) -> None:
    delivers = book.settings.settings.delivery.mode == "inline"
    *whole, last = NESTED
    with book.run(host, params={"host": host}) as outer:
        if delivers:
            book.flush()
        _said("open")
        for name in whole:
            with book.run(f"{host}/{name}", parent=outer) as nested:
                _log(nested, host, name, scratch)
            if delivers:
                book.flush()
        with book.run(f"{host}/{last}", parent=outer) as nested:
            _log(nested, host, last, scratch)
            _said("logged")


def main(host: str, home: Path, scratch: Path) -> None:
    """Work on a host of this name; all that is told of the host is its name and its boot."""
    space = PidSpace(host=host, boot_id=f"boot-of-{host}", pid_namespace="pid:[1]")
    with (
        patch("platform.node", lambda: host),
        patch("studbook.adapters.home.leases.pid_space", lambda: space),
        Studbook.open(home=home, experiment=EXPERIMENT) as book,
    ):
        _work(book, host, scratch)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
