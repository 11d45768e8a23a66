"""`studbook acquire`: a run's files, verified."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .command_line import CommandLine


def acquire(
    cli: CommandLine,
    *,
    ref: Annotated[str, typer.Argument(help="A run key (12 digits of it are enough), or a backend run id.")],
    kind: Annotated[
        str, typer.Option(help="checkpoint, model, metadata, config, metrics, logs or any.")
    ] = "checkpoint",
    name: Annotated[str | None, typer.Option(help="The artifact's name, when the run has several.")] = None,
    to: Annotated[Path | None, typer.Option(help="Where the files go; by default into the home.")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace what lies there, whosever it is.")
    ] = False,
) -> None:
    """Hand over a run's files, verified against their manifest, or nothing at all.

    A selection means its winner's files.
    """
    from rich.text import Text

    with cli.open_book() as book:
        acquired = book.acquire(ref, kind, to, name=name, replace=replace)
    receipt = acquired.receipt
    document = {"path": acquired.path, "receipt": receipt, "manifest": acquired.manifest}
    cli.output.show(
        document,
        lambda: Text(
            f"{acquired.path}\n{receipt.trust}, from {receipt.source}: "
            f"{acquired.manifest.file_count} files, {acquired.manifest.total_size} bytes, {receipt.content_digest}"
        ),
    )
