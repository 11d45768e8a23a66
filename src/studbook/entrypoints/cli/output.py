"""What a verb says: one JSON document or a table on stdout; notes and progress on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


@dataclass(frozen=True, slots=True)
class Output:
    """The channels of one call of the command line."""

    as_json: bool

    def show(self, document: object, people: Callable[[], RenderableType]) -> None:
        """The verb's answer, once: the document for programs, else what `people` builds.

        The document may hold pydantic values, dataclasses, enumerations, paths and times; NaN and infinity
        become text.
        """
        if self.as_json:
            write_document(document)
            return
        from rich.console import Console

        terminal = sys.stdout.isatty()
        Console(width=None if terminal else _UNBOUNDED, highlight=False).print(people())

    def line(self, document: object, text: str) -> None:
        """One line of an answer that has no end: a document of its own, else the text. Written at once."""
        from pydantic_core import to_json

        line = to_json(document, inf_nan_mode="strings", fallback=str).decode() if self.as_json else text
        typer.echo(line)
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """One line beside the answer."""
        typer.echo(text, err=True)

    @contextmanager
    def progress(self, description: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """A bar while the body runs, if stderr is a terminal; yields the function that advances it.

        Without a total it counts.
        """
        from rich.console import Console
        from rich.progress import MofNCompleteColumn, Progress

        with Progress(
            *Progress.get_default_columns(),
            MofNCompleteColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        ) as bar:
            task = bar.add_task(description, total=total)
            yield lambda steps: bar.advance(task, steps)


_UNBOUNDED = 10_000
"""Columns when nobody looks: a table in a file is never cut."""


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, whole: Collection[str] = ()) -> Table:
    """A plain table; None is shown as a dash, and text is never read as markup.

    Columns of numbers are aligned to the right; those in `whole` are never folded.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    lines = [["-" if cell is None else str(cell) for cell in row] for row in rows]
    built = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for index, column in enumerate(columns):
        numbers = bool(lines) and all(_is_number(line[index]) for line in lines)
        built.add_column(
            Text(column),
            overflow="fold",
            justify="right" if numbers else "left",
            no_wrap=column in whole,
        )
    for line in lines:
        built.add_row(*(Text(cell) for cell in line))
    return built


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell == "-"
    return True


def write_document(document: object) -> None:
    """One JSON document, on stdout."""
    from pydantic_core import to_json

    text = to_json(document, indent=2, inf_nan_mode="strings", fallback=str).decode()
    typer.echo(text)
