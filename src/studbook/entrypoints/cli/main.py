"""The command line's frame: the options before the verb, the error boundary, signals and exit codes.

A verb is a function in a module of its own in this package, and a line in `verbs.VERBS`:

    def runs(cli: CommandLine, stage: Annotated[str | None, typer.Option(help="…")] = None) -> None:
        \"\"\"List runs.\"\"\"
        with cli.open_book() as book:
            found = ...
        cli.output.show(document, lambda: table(["run", "stage"], rows))

The first parameter is the `CommandLine`; the others are typer's. `--json` is added by the frame. A verb
answers once, through `cli.output`; it fails by raising a StudbookError, whose exit code is used, and ends
otherwise than 0 without an error by `raise typer.Exit(code)`. At module level it imports typer, this package
and the standard library only, so that its help is quick.

Exit codes: 0 done, 1 failed, 2 usage, 3 nothing matches, 4 something needs attention, 130 Ctrl-C,
143 SIGTERM.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from ..own_process import settle_in
from .command_line import GlobalOptions
from .error_report import ErrorReport, write_traceback
from .verbs import JSON_HELP, VerbGroup

app = typer.Typer(cls=VerbGroup, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def _show_version(wanted: bool) -> None:  # noqa: FBT001 — typer calls it with the option's value
    if wanted:
        from importlib.metadata import version

        typer.echo(f"studbook {version('studbook')}")
        raise typer.Exit


@app.callback()
def studbook(
    ctx: typer.Context,
    *,
    as_json: Annotated[bool, typer.Option("--json", help=JSON_HELP)] = False,
    tracking_uri: Annotated[
        str | None, typer.Option("--tracking-uri", metavar="URI", help="The backend, by its scheme.")
    ] = None,
    home: Annotated[
        Path | None, typer.Option("--home", metavar="FOLDER", help="Where journals and caches are.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="The settings file.")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version.")
    ] = False,
) -> None:
    """The official record of where a model came from."""
    del debug, version  # read before parsing, by the boundary; answered by its callback
    ctx.obj = GlobalOptions(as_json=as_json, tracking_uri=tracking_uri, home=home, config=config)


def main() -> int:
    """The console script. Returns the exit code; nothing but SystemExit leaves it."""
    signal.signal(signal.SIGTERM, _terminate)
    settle_in()
    arguments = sys.argv[1:] or ["--help"]
    try:
        code = typer.main.get_command(app).main(args=arguments, prog_name="studbook", standalone_mode=False)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except Exception as error:  # noqa: BLE001 — the one boundary: everything is reported here
        if "--debug" in arguments:
            write_traceback(error)
        report = ErrorReport.of(error)
        report.write(as_json="--json" in arguments)
        return report.exit_code
    return code if isinstance(code, int) else 0


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
