"""`studbook config schema`: what may stand in a settings file, for editors."""

from __future__ import annotations

from typing import Annotated

import typer

from .command_line import CommandLine
from .output import write_document


def schema(
    cli: CommandLine,
    *,
    file: Annotated[
        str, typer.Option(help="studbook.yaml, naming.yaml or tags.yaml.", metavar="NAME")
    ] = "studbook.yaml",
) -> None:
    """Print the JSON Schema of a settings file: keys, allowed values, defaults and meanings.

    It is one JSON document, with or without --json. Editors that speak the YAML language server check and
    complete by it.
    """
    from ...config.settings_schema import settings_schema

    del cli
    write_document(settings_schema(file))
