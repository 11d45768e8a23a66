"""`studbook lineage`: where a model came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .command_line import CommandLine

if TYPE_CHECKING:
    from ...domain.lineage import LineageNode


def lineage(
    cli: CommandLine,
    *,
    ref: Annotated[str, typer.Argument(help="A run key (12 digits of it are enough), or a backend run id.")],
) -> None:
    """Show the tree of a run's ancestors."""
    from rich.text import Text

    from ...domain.lineage import render

    with cli.open_book() as book:
        tree = book.lineage(book.find(ref))
    cli.output.show(_document(tree), lambda: Text("\n".join(render(tree))))


def _document(node: LineageNode) -> dict[str, object]:
    known = None if isinstance(node.run, str) else node.run
    return {
        "ref": node.ref,
        "relation": node.relation,
        "stage": known.stage if known else None,
        "name": known.name if known else None,
        "status": known.status if known else None,
        "run_id": known.run_id if known else None,
        "children": [_document(child) for child in node.children],
    }
