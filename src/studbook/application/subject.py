"""What a question is about: a selection, a mapping, a run, a handle or a ref, resolved to the run that is meant."""

from __future__ import annotations

from dataclasses import dataclass

from ..domain.errors import InvalidInput, RefitMissing, RunNotFound
from ..domain.run_view import RunView
from ..domain.selection.refit_mapping import RefitMapping
from ..domain.stage import Stage
from .run_catalog import RunCatalog
from .run_handle import RunHandle
from .select import Decision

Target = Decision | RefitMapping | RunView | RunHandle | str


@dataclass(frozen=True, slots=True)
class Subject:
    """The run whose files are meant; `selection` is the ref of the run that chose it, `basis` how it was mapped."""

    run: RunView
    target: str
    selection: str | None = None
    basis: str | None = None


def resolve_subject(target: Target, catalog: RunCatalog) -> Subject:
    """The subject of a target. Raises RefitMissing for a mapping without a refit, RunNotFound, InvalidInput."""
    match target:
        case Decision():
            winner = target.result.winner
            run = catalog.resolve(winner.artifact_run)
            return Subject(run, target.ref, selection=target.ref, basis=str(winner.basis))
        case RefitMapping():
            if target.refit is None:
                raise RefitMissing(
                    f"trial {target.trial} has no refit",
                    cure="call sweep.refit() first",
                    trial=target.trial,
                )
            return Subject(catalog.resolve(target.refit), target.trial, basis=str(target.basis))
        case RunView():
            return _followed(target, target.ref, catalog)
        case RunHandle():
            return Subject(catalog.resolve(target.key), target.key)
        case str():
            return _followed(catalog.resolve(target), target, catalog)
    raise InvalidInput(
        f"{type(target).__name__} names no run",
        cure="give a selection, a refit mapping, a run, a run handle or a run key",
    )


def _followed(run: RunView, target: str, catalog: RunCatalog) -> Subject:
    """A recorded selection means its winner's run; any other run means itself."""
    if run.stage is not Stage.SELECTION:
        return Subject(run, target)
    vocabulary = catalog.vocabulary
    winner = vocabulary.read("selection.winner_refit", run.tags) or vocabulary.read(
        "selection.winner", run.tags
    )
    if winner is None:
        raise RunNotFound(
            f"selection {run.name} names no winner", cure="select again: `studbook select`", run=run.ref
        )
    return Subject(catalog.by_ref(str(winner)), target, selection=run.ref)
