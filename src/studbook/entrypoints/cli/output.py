"""What a verb says: one JSON document or a table on stdout; notes and progress on stderr."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text


@dataclass(frozen=True, slots=True)
class Output:
    """The channels of one call of the command line."""

    as_json: bool

    def show(self, document: object, people: Callable[[], RenderableType], *, paged: bool = False) -> None:
        """The verb's answer, once: the document for programs, else what `people` builds.

        The document may hold pydantic values, dataclasses, enumerations, paths and times; NaN and infinity
        become text. What is `paged` goes through the user's pager when it is longer than the terminal.
        """
        if self.as_json:
            write_document(document)
            return
        from rich.console import Console

        terminal = sys.stdout.isatty()
        console = Console(width=None if terminal else _UNBOUNDED, highlight=False)
        shown = people()
        if paged and terminal and len(console.render_lines(shown, pad=False)) >= console.height:
            _page(console, shown)
        else:
            console.print(shown)

    def stream(self, documents: Iterable[object]) -> int:
        """The answer as one JSON array, each element written when it comes; how many there were.

        An error on the way leaves the array open, so that nobody takes a part for the whole.
        """
        count = 0
        for document in documents:
            sys.stdout.write(f"{',' if count else '['}\n{_one_line(document)}")
            count += 1
        sys.stdout.write("\n]\n" if count else "[]\n")
        return count

    def rows(self, rows: Iterable[Sequence[object]]) -> int:
        """The answer as CSV (RFC 4180, UTF-8), each row written when it comes; how many there were.

        None is empty; times are ISO 8601.
        """
        import csv

        writer = csv.writer(sys.stdout, lineterminator="\r\n")
        count = 0
        for count, row in enumerate(rows, start=1):  # noqa: B007  # the last one is the answer
            writer.writerow([_csv_cell(cell) for cell in row])
        return count

    def line(self, document: object, text: str) -> None:
        """One line of an answer that has no end: a document of its own, else the text. Written at once."""
        typer.echo(_one_line(document) if self.as_json else text)
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


_PAGER = "less"
_NO_COMMAND = 127
"""What a shell ends with that knows no such command."""
_UNBOUNDED = 10_000
"""Columns when nobody looks: a table in a file is never cut."""


@dataclass(frozen=True, slots=True)
class Link:
    """A text that leads to a page, where the terminal can; without one it is plain text."""

    text: str
    url: str | None

    def __str__(self) -> str:
        return self.text


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, whole: Collection[str] = ()) -> Table:
    """A plain table; None is shown as a dash, and text is never read as markup.

    Columns of numbers are aligned to the right; those in `whole` are never folded.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    lines = [[_table_cell(cell) for cell in row] for row in rows]
    built = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for index, column in enumerate(columns):
        numbers = bool(lines) and all(_is_number(line[index].plain) for line in lines)
        built.add_column(
            Text(column),
            overflow="fold",
            justify="right" if numbers else "left",
            no_wrap=column in whole,
        )
    for line in lines:
        built.add_row(*line)
    return built


def linked(link: Link) -> Text:
    """The text, which leads to its page where the terminal can."""
    from rich.style import Style
    from rich.text import Text

    return Text(link.text, style="" if link.url is None else Style(link=link.url))


def short_ref(ref: str) -> str:
    """As much of a run key as tells runs apart; a ref of another kind is told in full."""
    return ref[:16] if ref.startswith("rk3:") else ref


def _table_cell(cell: object) -> Text:
    from rich.text import Text

    if isinstance(cell, Link):
        return linked(cell)
    return Text("-" if cell is None else str(cell))


def _csv_cell(cell: object) -> object:
    return cell.isoformat() if isinstance(cell, datetime) else cell


def _page(console: Console, shown: RenderableType) -> None:
    """Through PAGER, else `less`; colours and links for `less` only, which is told to keep them."""
    command = os.environ.get("PAGER", "").strip() or _PAGER
    rich = Path(command.split()[0]).name == _PAGER
    with console.capture() as captured:
        console.print(shown)
    text = captured.get() if rich else _plain(console, shown)
    environment = {"LESS": "FRX", **os.environ}
    done = subprocess.run(command, shell=True, input=text, text=True, env=environment, check=False)  # noqa: S602
    if done.returncode == _NO_COMMAND:
        sys.stdout.write(text)


def _plain(console: Console, shown: RenderableType) -> str:
    return "".join(segment.text for segment in console.render(shown))


def _one_line(document: object) -> str:
    from pydantic_core import to_json

    return to_json(document, inf_nan_mode="strings", fallback=str).decode()


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
