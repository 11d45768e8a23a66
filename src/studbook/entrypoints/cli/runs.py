"""`studbook runs`: what is in the store."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from .command_line import CommandLine
from .output import table

if TYPE_CHECKING:
    from ...domain.run_view import RunView


def runs(
    cli: CommandLine,
    *,
    stage: Annotated[list[str] | None, typer.Option(help="Only this stage; may be given again.")] = None,
    status: Annotated[list[str] | None, typer.Option(help="Only this status; may be given again.")] = None,
    family: Annotated[str | None, typer.Option(help="Only this model family.")] = None,
    study: Annotated[str | None, typer.Option(help="Only this study: its key, or 12 digits of it.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The newest so many.")] = None,
) -> None:
    """List the project's runs, oldest first. Exit code 3 when nothing matches."""
    from ...domain.run import RunStatus
    from ...domain.stage import Stage
    from ...ports.run_query import ANY_STATUS
    from ..studbook import Studbook
    from .choices import each_of

    stages = each_of(Stage, stage, "--stage") or tuple(Stage)
    statuses = frozenset(each_of(RunStatus, status, "--status")) or ANY_STATUS
    with Studbook.of(cli.loaded) as book:
        found = [
            run
            for run in book.container.catalog().find(stages, statuses=statuses)
            if (family is None or run.family == family) and (study is None or _is_study(run, study))
        ]
    shown = found[-limit:] if limit else found
    cli.output.show([_document(run) for run in shown], lambda: table(_COLUMNS, [_row(run) for run in shown]))
    if not shown:
        raise typer.Exit(3)


_COLUMNS = ["run key", "stage", "name", "status", "reason", "started", "metrics"]


def _is_study(run: RunView, study: str) -> bool:
    key = run.study_key or ""
    return key == study or key.partition(":")[2].startswith(study.partition(":")[2] or study)


def _row(run: RunView) -> list[object]:
    started = datetime.fromtimestamp(run.started_at / 1000, UTC)
    names = [name for name, _ in run.objectives] or sorted(run.metrics)
    metrics = ", ".join(f"{name}={run.metrics[name]:.4g}" for name in names if name in run.metrics)
    reason = run.end_reason or ""
    error = run.error or ""
    return [
        run.ref[:16] if run.ref.startswith("rk3:") else run.ref,
        run.stage,
        run.name,
        run.status,
        f"{reason}: {error}" if error else reason,
        started.strftime("%Y-%m-%d %H:%M:%S"),
        metrics[:80],
    ]


def _document(run: RunView) -> dict[str, object]:
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
        "params": run.params,
        "metrics": run.metrics,
    }
