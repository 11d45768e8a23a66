"""`studbook migrate`: one store's runs into another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from .command_line import CommandLine
from .output import table
from .upkeep import count, text_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ...application.migrate import MigrateStore
    from ...application.migration_report import Copied, ExperimentPlan, RunDifference, Verification

_MOST_LINES = 20
"""Of each kind, for people; the document has all."""
_MOST_OF_A_RUN = 5
"""Differences of one run, for people."""


def migrate(
    cli: CommandLine,
    *,
    source: Annotated[
        str, typer.Argument(metavar="SRC", help="A tracking URI, or the folder of an MLflow file store.")
    ],
    destination: Annotated[
        str | None, typer.Argument(metavar="DST", help="A tracking URI; without, the project's own target.")
    ] = None,
    rename: Annotated[
        list[str] | None,
        typer.Option("--rename", metavar="OLD=NEW", help="An experiment's name in DST; repeatable."),
    ] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Also the runs in the bin.")] = False,
    verify_only: Annotated[
        bool, typer.Option("--verify-only", help="Copy nothing: read both sides and compare.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be copied; write nothing.")
    ] = False,
) -> None:
    """Copy all runs of SRC into DST, then read both back and compare. Exit code 4 when they differ.

    Experiments keep their names, but those of --rename; runs their params, metrics, tags, files, times, statuses and
    parents. Stopped anywhere, the same call goes on; done, it changes nothing.
    """
    from importlib.metadata import version

    from ...config.migration import open_migration

    if verify_only and dry_run:
        raise typer.BadParameter("--dry-run writes nothing, and neither does --verify-only: give one of them")
    with open_migration(
        cli.loaded,
        source,
        destination,
        version=version("studbook"),
        renamed=_renamings(rename or ()),
        deleted=deleted,
        writes=not (verify_only or dry_run),
    ) as migration:
        ends = {"source": migration.source, "destination": migration.destination}
        if dry_run:
            plan = migration.plan()
            cli.output.show(_plan_document(ends, plan), lambda: _plan_page(plan))
            return
        copied = None if verify_only else _copy(cli, migration)
        verified = _verify(cli, migration, copied)
    cli.output.show(_document(ends, copied, verified), lambda: _page(copied, verified))
    if not verified.equal or (copied is not None and copied.failed):
        raise typer.Exit(4)


def _renamings(said: Iterable[str]) -> dict[str, str]:
    """New names by old ones. An old one may hold a `=`."""
    names: dict[str, str] = {}
    for each in said:
        old, _, new = each.rpartition("=")
        if not old or not new:
            raise typer.BadParameter(
                f"--rename {each!r}: give OLD=NEW, the experiment's name in SRC and that in DST"
            )
        if names.setdefault(old, new) != new:
            raise typer.BadParameter(
                f"--rename gives {old!r} two names, {names[old]!r} and {new!r}: give one"
            )
    return names


def _copy(cli: CommandLine, migration: MigrateStore) -> Copied:
    cli.output.note(f"copying {migration.source} to {migration.destination}")
    with cli.output.progress("copying") as advance:
        return migration.copy(lambda: advance(1))


def _verify(cli: CommandLine, migration: MigrateStore, copied: Copied | None) -> Verification:
    cli.output.note("reading both back")
    total = None if copied is None else copied.copied + copied.already + len(copied.failed)
    with cli.output.progress("comparing", total) as advance:
        return migration.verify(lambda: advance(1))


def _plan_document(ends: dict[str, str], plan: tuple[ExperimentPlan, ...]) -> dict[str, object]:
    return {**ends, "to_copy": sum(each.to_copy for each in plan), "experiments": plan}


def _plan_page(plan: tuple[ExperimentPlan, ...]) -> RenderableType:
    rows = [[each.name, sum(each.runs.values()), each.to_copy] for each in plan]
    return table(["experiment", "runs", "to copy"], rows)


def _document(ends: dict[str, str], copied: Copied | None, verified: Verification) -> dict[str, object]:
    return {
        **ends,
        "equal": verified.equal,
        "copied": None if copied is None else copied.copied,
        "already": None if copied is None else copied.already,
        "failed": [] if copied is None else copied.failed,
        "runs": verified.runs,
        "digests": {"source": verified.source_digest, "destination": verified.destination_digest},
        "experiments": verified.experiments,
        "differences": verified.differences,
    }


def _page(copied: Copied | None, verified: Verification) -> RenderableType:
    from rich.console import Group

    rows = [
        [each.name, status, each.source.get(status, 0), each.destination.get(status, 0)]
        for each in verified.experiments
        for status in sorted(each.source.keys() | each.destination.keys())
    ]
    lines = []
    if copied is not None:
        lines.append(f"{count(copied.copied, 'run')} copied, {copied.already:,} there already")
        lines += _some(
            f"{each.experiment}  {each.run_id}  not copied: {each.problem} ({each.cure})"
            for each in copied.failed
        )
    if verified.equal:
        lines.append(f"equal: {count(verified.runs, 'run')}, {verified.source_digest}")
    else:
        lines.append(f"{count(len(verified.differences), 'difference')} in {count(verified.runs, 'run')}:")
        lines += _some(_difference(each) for each in verified.differences)
    return Group(table(["experiment", "status", "source", "destination"], rows), text_of(lines))


def _difference(each: RunDifference) -> str:
    who = each.run_id or f"copy {each.copy_id}"
    more = len(each.what) - _MOST_OF_A_RUN
    said = each.what if more <= 0 else (*each.what[:_MOST_OF_A_RUN], f"and {more:,} more")
    return f"{each.experiment}  {who}  {'; '.join(said)}"


def _some(lines: Iterable[str]) -> list[str]:
    every = [f"  {line}" for line in lines]
    more = len(every) - _MOST_LINES
    return every if more <= 0 else [*every[:_MOST_LINES], f"  and {more:,} more: --json lists all"]
