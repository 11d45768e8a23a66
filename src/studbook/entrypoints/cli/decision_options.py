"""The options that `champions` and `select` share: what is decided about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ...domain.sweep_job import AzureSweep

Metric = Annotated[str | None, typer.Option(help="The objective, when studies have several.")]
Family = Annotated[list[str] | None, typer.Option(help="Only this model family; may be given again.")]
Study = Annotated[list[str] | None, typer.Option(help="Only this study; may be given again.")]
AzureSweeps = Annotated[
    list[str] | None,
    typer.Option(
        "--azureml-sweep",
        metavar="NAME[=FAMILY]",
        help="The children of this Azure ML sweep job instead of the project's trials, and their model family; may be "
        "given again.",
    ),
]
DataVersion = Annotated[
    str | None,
    typer.Option(
        metavar="VERSION", help="The version of the sweep jobs' data, where no tag data_version tells it."
    ),
]


def changes_of(
    metric: str | None, family: Sequence[str] | None, study: Sequence[str] | None
) -> dict[str, Any]:
    """The keys of the settings' section `selection` that the options replace."""
    changes: dict[str, Any] = {}
    if metric is not None:
        changes["objective"] = {"metric": metric}
    scope = {"families": family, "studies": study}
    if any(scope.values()):
        changes["scope"] = {key: value for key, value in scope.items() if value}
    return changes


def sweeps_of(named: Sequence[str] | None, data_version: str | None) -> list[AzureSweep]:
    """The sweep jobs that the options name. Raises InvalidInput, or a usage error."""
    from ...domain.sweep_job import AzureSweep

    if data_version is not None and not named:
        raise typer.BadParameter("--data-version says something of sweep jobs: give --azureml-sweep too")
    split = (text.partition("=") for text in named or ())
    return [AzureSweep(name, family or None, data_version) for name, _, family in split]
