"""`studbook runs`: what is in the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from .choices import each_of, moment_ns, pairs
from .command_line import CommandLine
from .output import Link, short_ref, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ...application.list_runs import ListRuns
    from ...domain.run_columns import Column
    from ...domain.run_filter import RunFilter
    from ...domain.run_view import RunView
    from ..studbook import Studbook

_WHEN = "a time (UTC), or so long ago, as 2h or 3d."


def runs(
    cli: CommandLine,
    *,
    stage: Annotated[list[str] | None, typer.Option(help="Only this stage; may be given again.")] = None,
    status: Annotated[list[str] | None, typer.Option(help="Only this status; may be given again.")] = None,
    family: Annotated[str | None, typer.Option(help="Only this model family.")] = None,
    study: Annotated[
        str | None, typer.Option(help="Only this study: its key, 12 digits of it or more, or its name.")
    ] = None,
    experiment: Annotated[
        list[str] | None, typer.Option(help="Only this experiment; may be given again.")
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(metavar="BOUND", help="Only with this last value, as 'f1>=0.9'; may be given again."),
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Only with this param; may be given again.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Only with this tag; may be given again.")
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="WHEN", help=f"Started then or later: {_WHEN}")] = None,
    until: Annotated[str | None, typer.Option(metavar="WHEN", help=f"Started before then: {_WHEN}")] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Also the runs in the bin.")] = False,
    columns: Annotated[
        str | None,
        typer.Option(metavar="A,B,…", help="What to show: status, params.<name>, metrics.<name>, url, …"),
    ] = None,
    sort: Annotated[str | None, typer.Option(metavar="COLUMN", help="By this column; else by start.")] = None,
    descending: Annotated[bool, typer.Option("--descending", help="Largest first, or newest first.")] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="So many: the newest, or the first of those sorted.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Answer in CSV.")] = False,
) -> None:
    """List the project's runs, oldest first. All conditions hold at once. Exit code 3 when nothing matches."""
    from ...application.list_runs import Sorting
    from ...domain.run import RunStatus
    from ...domain.run_columns import Column
    from ...domain.run_filter import MetricBound, RunFilter
    from ...domain.stage import Stage
    from ...domain.stored_run import Lifecycle

    if as_csv and cli.output.as_json:
        raise typer.BadParameter("--csv and --json: give one of them")
    shown = None if columns is None else [Column.parse(each.strip()) for each in columns.split(",")]
    sorting = Sorting(None if sort is None else Column.parse(sort), descending)
    wanted = RunFilter(
        stages=frozenset(each_of(Stage, stage, "--stage") or Stage),
        statuses=frozenset(each_of(RunStatus, status, "--status") or RunStatus),
        lifecycles=frozenset(Lifecycle) if deleted else frozenset({Lifecycle.ACTIVE}),
        family=family,
        metrics=tuple(MetricBound.parse(each) for each in metric or ()),
        tags=pairs(tag, "--tag"),
        params=pairs(param, "--param"),
    )
    with cli.open_book() as book:
        listing = book.container.list_runs()
        wanted = _narrowed(wanted, book, listing, study, since, until)
        found = listing(
            wanted, experiments=tuple(experiment) if experiment else None, sorting=sorting, limit=limit
        )
        count = _answer(cli, found, shown, as_csv=as_csv)
    if not count:
        where = f"of project {cli.loaded.settings.project} in {cli.loaded.target.display}"
        cli.output.note(f"no run {where} matches")
        raise typer.Exit(3)


def _narrowed(
    wanted: RunFilter,
    book: Studbook,
    listing: ListRuns,
    study: str | None,
    since: str | None,
    until: str | None,
) -> RunFilter:
    from dataclasses import replace

    now_ns = book.container.clock().now_ns()
    since_ns, until_ns = moment_ns(since, "--since", now_ns), moment_ns(until, "--until", now_ns)
    return replace(
        wanted,
        studies=None if study is None else listing.studies(study),
        since_ms=None if since_ns is None else -(-since_ns // 1_000_000),
        until_ms=None if until_ns is None else -(-until_ns // 1_000_000),
    )


def _answer(
    cli: CommandLine, found: Iterator[RunView], shown: Sequence[Column] | None, *, as_csv: bool
) -> int:
    """Say it in the form that is wanted; how many runs there were."""
    if as_csv:
        return cli.output.rows(_csv(found, shown)) - 1
    if cli.output.as_json:
        return cli.output.stream(_document(each, shown) for each in found)
    held = list(found)
    if held:
        page = _default_page if shown is None else _page_of(shown)
        cli.output.show(None, lambda: page(held), paged=True)
    return len(held)


def _csv(found: Iterable[RunView], shown: Sequence[Column] | None) -> Iterator[Sequence[object]]:
    from ...domain.run_columns import ATTRIBUTES, Column

    columns = [Column(name) for name in ATTRIBUTES] if shown is None else shown
    yield [column.text for column in columns]
    for each in found:
        yield [column.of(each) for column in columns]


_COLUMNS = ["run key", "stage", "status", "started", "name", "metrics", "reason"]
_CELL_WIDTH = 100
"""Characters."""


def _default_page(held: Sequence[RunView]) -> RenderableType:
    """A table without the columns that would be empty."""
    rows = [_row(each) for each in held]
    filled = [index for index in range(len(_COLUMNS)) if any(str(row[index]) for row in rows)]
    return table(
        [_COLUMNS[index] for index in filled],
        [[row[index] for index in filled] for row in rows],
        whole=_COLUMNS[:4],
    )


def _row(run: RunView) -> list[object]:
    names = [name for name, _ in run.objectives] or sorted(run.metrics)
    return [
        Link(short_ref(run.ref), run.url),
        run.stage or "",
        run.status,
        _minute(datetime.fromtimestamp(run.started_at / 1000, UTC)),
        run.name,
        shortened([f"{name}={run.metrics[name]:.4g}" for name in names if name in run.metrics], ", "),
        shortened(run.error.split(" "), " ") if run.error else run.end_reason or "",
    ]


def _page_of(shown: Sequence[Column]) -> Callable[[Sequence[RunView]], RenderableType]:
    """A table of the columns that were asked for."""

    def page(held: Sequence[RunView]) -> RenderableType:
        rows = [[_cell(column.of(each), each.url) for column in shown] for each in held]
        return table([column.text for column in shown], rows)

    return page


def _cell(value: object, url: str | None) -> object:
    if isinstance(value, datetime):
        return _minute(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return Link(value, url) if isinstance(value, str) and value == url else value


def _minute(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M")


def shortened(parts: Sequence[str], between: str) -> str:
    """As many parts as fit, each of them whole; the documents have all."""
    shown = between.join(parts)
    while len(shown) > _CELL_WIDTH and len(parts) > 1:
        parts = parts[:-1]
        shown = f"{between.join(parts)}{between}…"
    return shown


def _document(run: RunView, shown: Sequence[Column] | None) -> dict[str, object]:
    if shown is not None:
        return {column.text: column.of(run) for column in shown}
    return {
        "ref": run.ref,
        "run_id": run.run_id,
        "stage": run.stage,
        "name": run.name,
        "status": run.status,
        "lifecycle": run.lifecycle,
        "end_reason": run.end_reason,
        "error": run.error,
        "experiment": run.experiment,
        "family": run.family,
        "study_key": run.study_key,
        "trial_key": run.trial_key,
        "attempt": run.attempt,
        "started_at": datetime.fromtimestamp(run.started_at / 1000, UTC),
        "ended_at": None if run.ended_at is None else datetime.fromtimestamp(run.ended_at / 1000, UTC),
        "url": run.url,
        "params": run.params,
        "metrics": run.metrics,
    }
