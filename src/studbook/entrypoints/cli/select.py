"""`studbook select`: choose the best model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .command_line import CommandLine
from .decision_options import AzureSweeps, DataVersion, Family, Metric, Study, changes_of, sweeps_of
from .output import Link, linked, short_ref, table

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from ...application.select import Decision
    from ...domain.selection.result import SelectionResult


def select(
    cli: CommandLine,
    *,
    policy: Annotated[
        str | None,
        typer.Option(help="A preset, or a policy of the settings: accuracy_latency, best_metric, …"),
    ] = None,
    metric: Metric = None,
    family: Family = None,
    study: Study = None,
    azureml_sweep: AzureSweeps = None,
    data_version: DataVersion = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Decide, and store nothing.")] = False,
) -> None:
    """Choose the best model, and record why. Exit code 3 when there is no candidate."""
    sweeps = sweeps_of(azureml_sweep, data_version)
    changes = changes_of(metric, family, study)
    with cli.open_book() as book:
        decision = book.select(policy, dry_run=dry_run, azureml_sweep=sweeps, **changes)
        url = decision.url()
    document = {
        "ref": decision.ref or None,
        "url": url,
        "reused": decision.reused,
        **decision.result.document(),
    }
    cli.output.show(document, lambda: _page(decision, url))


def _page(decision: Decision, url: str | None) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    from ...domain.selection.explain import explain_winner

    result = decision.result
    aliases = sorted({alias for contender in result.ranking for alias in contender.values})
    rows = [
        [
            contender.rank,
            contender.family,
            short_ref(contender.ref),
            *(_number(contender.values.get(alias)) for alias in aliases),
            _number(contender.score),
        ]
        for contender in result.ranking
    ]
    return Group(
        table(["rank", "family", "trial", *(_title(result, alias) for alias in aliases), "score"], rows),
        Text(""),
        *(Text(line) for line in explain_winner(result)),
        _recorded(decision, url),
    )


def _recorded(decision: Decision, url: str | None) -> Text:
    from rich.text import Text

    if not decision.ref:
        return Text("dry run: nothing stored", style="dim")
    where = Text("recorded as ", style="dim").append_text(linked(Link(decision.ref[:16], url)))
    return where.append(" (decided before)" if decision.reused else "")


def _title(result: SelectionResult, alias: str) -> str:
    """An alias with the metric that it stands for; its name tells the unit."""
    from ...domain.selection.metric import OBJECTIVE

    plan = result.inputs.plan.policy
    name = plan.objective.metric if alias == OBJECTIVE else dict(plan.metrics)[alias].name
    return alias if name in (alias, None) else f"{alias} ({name})"


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.5g}"
