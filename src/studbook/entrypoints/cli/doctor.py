"""`studbook doctor`: what is wrong, or soon will be, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .command_line import CommandLine
from .output import table
from .upkeep import wired

if TYPE_CHECKING:
    from ...application.diagnosis import Diagnosis, Row

_NAMES = ("check", "outcome")


def doctor(
    cli: CommandLine,
    *,
    write: Annotated[
        bool,
        typer.Option(
            "--write", help="Also make a probe run in the backend, read it back, and put it in the bin."
        ),
    ] = False,
) -> None:
    """Check versions, home, deliveries and backend. Exit code 4 when a check finds a problem.

    Writes nothing without --write. No check goes on for ever, and none hides another.
    """
    from ...config.checkup import diagnose

    with cli.output.progress("looking"):
        found = diagnose(wired(cli), write=write)()
    cli.output.show(
        _document(cli, found), lambda: table(("check", "outcome", "found"), _lines(found), whole=_NAMES)
    )
    if found.needs_attention:
        raise typer.Exit(4)


def _document(cli: CommandLine, found: Diagnosis) -> dict[str, object]:
    return {
        "home": cli.loaded.home,
        "target": cli.loaded.target.display,
        "needs_attention": found.needs_attention,
        "checks": found.rows,
    }


def _lines(found: Diagnosis) -> list[tuple[str, str, str]]:
    return [(row.check, row.outcome, _text(row)) for row in found.rows]


def _text(row: Row) -> str:
    return row.found if row.cure is None else f"{row.found}\n→ {row.cure}"
