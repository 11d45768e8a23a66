"""`studbook runs`: what is in the store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from .command_line import CommandLine
from .output import table

if TYPE_CHECKING:
    from rich.console import RenderableType

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
    from .choices import each_of

    stages = each_of(Stage, stage, "--stage") or tuple(Stage)
    statuses = frozenset(each_of(RunStatus, status, "--status")) or ANY_STATUS
    with cli.open_book() as book:
        found = [
            run
            for run in book.container.catalog().find(stages, statuses=statuses)
            if family is None or run.family == family
        ]
    if study is not None:
        found = _of_study(found, study)
    shown = found[-limit:] if limit else found
    cli.output.show([_document(run) for run in shown], lambda: _page(shown))
    if not shown:
        where = f"of project {cli.loaded.settings.project} in {cli.loaded.target.display}"
        cli.output.note(f"no run {where} matches")
        raise typer.Exit(3)


_COLUMNS = ["run key", "stage", "status", "started", "name", "metrics", "reason"]
_CELL_WIDTH = 100
"""Characters."""


def _page(shown: Sequence[RunView]) -> RenderableType:
    """A table without the columns that would be empty; no line at all when there is no run."""
    rows = [_row(run) for run in shown]
    filled = [index for index in range(len(_COLUMNS)) if any(row[index] for row in rows)]
    if not filled:
        return ""
    return table(
        [_COLUMNS[index] for index in filled],
        [[row[index] for index in filled] for row in rows],
        whole=_COLUMNS[:4],
    )


def _of_study(runs: list[RunView], study: str) -> list[RunView]:
    from ...domain.key_reference import KeyReference
    from ...domain.keys import StudyKey

    key = KeyReference.parse(study, StudyKey).only(run.study_key for run in runs)
    return [run for run in runs if key is not None and run.study_key == key]


def _row(run: RunView) -> list[object]:
    started = datetime.fromtimestamp(run.started_at / 1000, UTC)
    names = [name for name, _ in run.objectives] or sorted(run.metrics)
    return [
        run.ref[:16] if run.ref.startswith("rk3:") else run.ref,
        run.stage or "",
        run.status,
        started.strftime("%Y-%m-%d %H:%M"),
        run.name,
        shortened([f"{name}={run.metrics[name]:.4g}" for name in names if name in run.metrics], ", "),
        shortened(run.error.split(" "), " ") if run.error else run.end_reason or "",
    ]


def shortened(parts: Sequence[str], between: str) -> str:
    """As many parts as fit, each of them whole; the documents have all."""
    shown = between.join(parts)
    while len(shown) > _CELL_WIDTH and len(parts) > 1:
        parts = parts[:-1]
        shown = f"{between.join(parts)}{between}…"
    return shown


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
