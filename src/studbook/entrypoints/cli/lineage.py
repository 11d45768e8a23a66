"""`studbook lineage`: where a model came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .command_line import CommandLine
from .output import Link, linked

if TYPE_CHECKING:
    from rich.text import Text

    from ...domain.lineage import LineageNode


def lineage(
    cli: CommandLine,
    *,
    ref: Annotated[str, typer.Argument(help="A run key (12 digits of it are enough), or a backend run id.")],
) -> None:
    """Show the tree of a run's ancestors."""
    with cli.open_book() as book:
        tree = book.lineage(book.find(ref))
    cli.output.show(_document(tree), lambda: tree_text(tree))


def tree_text(tree: LineageNode) -> Text:
    """The tree, each run a link to its page."""
    from rich.text import Text

    from ...domain.lineage import lines

    return Text("\n").join(
        Text(line.branch).append_text(linked(Link(line.label, line.url))) for line in lines(tree)
    )


def _document(node: LineageNode) -> dict[str, object]:
    known = None if isinstance(node.run, str) else node.run
    return {
        "ref": node.ref,
        "relation": node.relation,
        "stage": known.stage if known else None,
        "name": known.name if known else None,
        "status": known.status if known else None,
        "run_id": known.run_id if known else None,
        "url": node.url,
        "children": [_document(child) for child in node.children],
    }
