"""`studbook champions`: the best trial of each model family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from .command_line import CommandLine
from .decision_options import AzureSweeps, DataVersion, Family, Metric, Study, changes_of, sweeps_of
from .output import Link, short_ref, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ...domain.selection.champions import Champion, ChampionReport


def champions(
    cli: CommandLine,
    *,
    metric: Metric = None,
    family: Family = None,
    study: Study = None,
    azureml_sweep: AzureSweeps = None,
    data_version: DataVersion = None,
) -> None:
    """Show the best trial of each model family, and why a family has none. Stores nothing.

    Exit code 3 when no family has one.
    """
    sweeps = sweeps_of(azureml_sweep, data_version)
    with cli.open_book() as book:
        report = book.champions(azureml_sweep=sweeps, **changes_of(metric, family, study))
        urls = {found.artifact_run: book.find(found.artifact_run).url for found in report.champions}
    document = {
        "champions": [{**asdict(found), "url": urls[found.artifact_run]} for found in report.champions],
        "skipped": [
            {"family": name, "reason": reason, "detail": detail} for name, reason, detail in report.skipped
        ],
        "groups": report.groups,
        "rejected": report.rejected,
        "warnings": report.warnings,
    }
    cli.output.show(document, lambda: _page(report, urls))
    if not report.champions:
        raise typer.Exit(3)


def _page(report: ChampionReport, urls: Mapping[str, str | None]) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    from ...domain.selection.explain import warning_line

    lines = [Text(f"{name} has none: {reason}: {detail}") for name, reason, detail in report.skipped]
    if not report.champions and not lines:
        lines = [Text("no trials")]
    lines += [Text(warning_line(warning)) for warning in report.warnings]
    if not report.champions:
        return Group(*lines)
    rows = [_row(report, found, urls) for found in report.champions]
    return Group(table(["family", "trial", "files", "metric", "value", "level", "trials"], rows), *lines)


def _row(report: ChampionReport, found: Champion, urls: Mapping[str, str | None]) -> list[object]:
    valid = next(
        group.n_valid
        for group in report.groups
        if (group.family, group.schema, group.study_key) == (found.family, found.schema, found.study_key)
    )
    served = "trial" if found.artifact_run == found.trial else short_ref(found.artifact_run)
    return [
        found.family,
        short_ref(found.trial),
        Link(served, urls[found.artifact_run]),
        found.metric,
        f"{found.value:.5g}",
        f"{found.stable_score:.5g}",
        valid,
    ]
