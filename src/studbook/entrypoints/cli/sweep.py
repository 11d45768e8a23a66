"""`studbook sweep`: search a study that a file describes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .command_line import CommandLine
from .output import Link, linked, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..studbook import Studbook
    from ..sweep_handle import Sweep


def sweep(
    cli: CommandLine,
    *,
    file: Annotated[
        Path, typer.Argument(help="The study file (YAML): name, train, space, objective, trials, …")
    ],
    trials: Annotated[int | None, typer.Option(help="Instead of the file's number.")] = None,
) -> None:
    """Search a study until it has its trials; go on where it stopped."""
    from ...domain.study import Objective, Pruning, Sampling
    from ..study_file import load_study_file, training_function
    from .progress import ProgressView

    study = load_study_file(file)
    train = training_function(study, file.absolute().parent)
    objectives = study.objective if isinstance(study.objective, tuple) else (study.objective,)
    with cli.open_book(long=True) as book, ProgressView(book):
        done = book.sweep(
            study.name,
            train,
            space=study.space,
            objective=[Objective.model_validate(each.model_dump()) for each in objectives],
            trials=study.trials if trials is None else trials,
            folds=study.folds,
            n_samples=study.n_samples,
            data=study.data,
            family=study.family,
            sampler=Sampling(**study.sampler.model_dump()),
            pruner=Pruning(**study.pruner.model_dump()) if study.pruner else None,
            seed=study.seed,
            workers=study.workers,
            timeout_s=study.timeout_s,
            revision=study.revision,
        )
        refit = done.refit() if study.refit else None
        url = done.url()
        pages = _pages(book, done) if url else {}
    document = {
        "study_key": done.study.key,
        "sweep": done.run_key,
        "url": url,
        "outcome": done.result.outcome,
        "counts": done.result.counts(),
        "trials": done.trials,
        "refit": refit.refit if refit else None,
    }
    cli.output.show(document, lambda: _page(done, url, pages))


def _pages(book: Studbook, done: Sweep) -> dict[str, str | None]:
    """The pages of the study's trials, by run key."""
    from ...domain.stage import Stage

    trials = book.container.catalog().find([Stage.TRIAL], study_key=done.study.key)
    return {trial.ref: trial.url for trial in trials}


def _page(done: Sweep, url: str | None, pages: Mapping[str, str | None]) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    rows = [
        [
            Link(str(trial.number), pages.get(trial.run_key)),
            trial.state,
            ", ".join(f"{name}={value}" for name, value in trial.params.items()),
            ", ".join(f"{name}={value:.5g}" for name, value in (trial.values or {}).items()),
            trial.error,
        ]
        for trial in done.trials
    ]
    counts = ", ".join(f"{number} {what}" for what, number in done.result.counts().items())
    return Group(
        table(["trial", "state", "params", "values", "error"], rows),
        Text(f"\n{counts}: ").append_text(linked(Link(done.run_key[:16], url))),
    )
