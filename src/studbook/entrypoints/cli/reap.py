"""`studbook reap`: end what dead programs left open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .command_line import CommandLine
from .upkeep import count, moment, seconds, short_key, text_of, wired

if TYPE_CHECKING:
    from ...application.reap import LeftAlone, ReapReport
    from ...application.writer_watch import WriterWatch
    from ...config.container import Container
    from ...domain.errors import StudbookError
    from ...ports.delivery_ledger import StartedRun


def reap(
    cli: CommandLine,
    *,
    older_than: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="Also end runs of which nobody can tell, of other homes too, when they were last heard of "
            "so long ago (90m, 2d).",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be ended, and do nothing.")
    ] = False,
) -> None:
    """End the open runs of programs that died, as KILLED at the time of their last event, and deliver that.

    Writers of other machines are watched first, for as long as leases.ttl says. With --older-than, the store is asked
    for open runs that this home has no journal of. Exit code 4 when the ends could not be delivered.
    """
    from ...application.reap import ReapReport

    limit = seconds(older_than, "--older-than")
    container = wired(cli)
    report, problem = ReapReport(), None
    if cli.loaded.home.is_dir():
        _announce(cli, container.watch())
        report = container.reap()(wait=True, older_than_s=limit, dry_run=dry_run)
    else:
        cli.output.note(f"there is no home {cli.loaded.home}: nothing was recorded")
    if limit is not None:
        stored = container.reap_stored()(limit, judged=report, dry_run=dry_run)
        report = ReapReport((*report.reaped, *stored), report.left)
    if not dry_run:
        problem = _delivered(container) if report.reaped else None
        if cli.loaded.home.is_dir():
            container.forget_dead()()
    cli.output.show(
        _document(report, problem, dry_run=dry_run),
        lambda: text_of(_lines(report, problem, dry_run=dry_run)),
    )
    if problem is not None:
        raise typer.Exit(problem.exit_code)


def _announce(cli: CommandLine, watch: WriterWatch) -> None:
    from ...application.writer_watch import Doubt

    look = watch.look()
    if any(look.doubt(writer) is Doubt.UNDECIDED for writer in look.liveness):
        cli.output.note(f"watching writers of other machines, for {watch.ttl_s:g} s at most")


def _delivered(container: Container) -> StudbookError | None:
    """What kept the ends from being delivered; None: nothing did."""
    from ...domain.errors import DeliveryPending, TrackingDenied

    try:
        container.sync()()
    except (DeliveryPending, TrackingDenied) as error:
        return error
    return None


def _document(report: ReapReport, problem: StudbookError | None, *, dry_run: bool) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "ended": [_run(run) for run in report.reaped],
        "left_alone": [{**_run(left.run), "why": left.why} for left in report.left],
        "undelivered": None if problem is None else {"problem": problem.problem, "cure": problem.cure},
    }


def _run(run: StartedRun) -> dict[str, object]:
    return {
        "run": run.run_key,
        "stage": run.stage,
        "project": run.project,
        "writer": run.writer,
        "last_event": moment(run.seen_ns),
    }


def _lines(report: ReapReport, problem: StudbookError | None, *, dry_run: bool) -> list[str]:
    done = "would be ended" if dry_run else "ended"
    lines = [f"{count(len(report.reaped), 'run')} {done}", *(f"  {_line(run)}" for run in report.reaped)]
    if report.left:
        lines.append(f"{count(len(report.left), 'open run')} left alone")
        lines += [f"  {_line(left.run)}: {_why(left.why)}" for left in report.left]
    if problem is not None:
        lines += [problem.problem, f"  {problem.cure}"]
    return lines


def _line(run: StartedRun) -> str:
    last = moment(run.seen_ns).strftime("%Y-%m-%d %H:%M:%S")
    return f"{short_key(run.run_key)}  {run.stage}  last event {last} UTC"


def _why(why: LeftAlone) -> str:
    from ...application.reap import LeftAlone

    return {
        LeftAlone.ALIVE: "its program lives",
        LeftAlone.OTHER_PROJECT: "it is of another project; its own settings can end it",
        LeftAlone.NO_LEASE: "its program left no sign of life to judge by; --older-than ends it",
        LeftAlone.COPIED_HOME: "this home is a copy, and its program may live elsewhere; --older-than ends it",
        LeftAlone.UNDECIDED: "its program was not watched for long enough; repeat",
    }[why]
