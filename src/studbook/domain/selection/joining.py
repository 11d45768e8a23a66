"""Runs made ready for a decision: one view a ref, edges as refs, fields joined from the sweep."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property

from ..run import RunStatus
from ..run_view import KeySchema, RunView
from ..stage import Stage
from ..stored_run import Lifecycle
from .order import newest_first

DECISIVE = frozenset({Stage.SWEEP, Stage.TRIAL, Stage.REFIT, Stage.BENCHMARK})
_NAMING = (Stage.REFIT, Stage.BENCHMARK)
"""Runs of these name the run that they are about."""


def distinct(runs: Iterable[RunView]) -> list[RunView]:
    """The runs of the stages that decisions read, one a ref, sorted by ref.

    Of several with one ref: active before deleted, FINISHED before others, newest, smaller backend id.
    """
    by_ref: dict[str, RunView] = {}
    for run in runs:
        if run.stage in DECISIVE:
            other = by_ref.get(run.ref)
            if other is None or _preference(run) < _preference(other):
                by_ref[run.ref] = run
    return [by_ref[ref] for ref in sorted(by_ref)]


def given_up(runs: list[RunView]) -> Iterator[RunView]:
    """The runs, each let go of here when it is its turn: of very many, whoever copies them holds none twice."""
    runs.reverse()
    while runs:
        yield runs.pop()


def join(runs: Iterable[RunView]) -> list[RunView]:
    """Distinct runs with edges as refs, and what they lack taken from where it is recorded.

    Key schema, objectives and family of a trial or refit come from its sweep; the key schema of a refit or
    benchmark that still has none from the run it names, else from the trial with the same keys.
    """
    names = _Names({run.ref: run for run in runs})
    joined = [_from_sweep(_edges(run, names), names.by_ref) for run in names.by_ref.values()]
    if all(run.key_schema for run in joined if run.stage in _NAMING):
        return joined
    by_ref = {run.ref: run for run in joined}
    by_keys: dict[tuple[str | None, str | None], KeySchema] = {
        (run.study_key, run.trial_key): run.key_schema
        for run in joined
        if run.stage is Stage.TRIAL and run.trial_key and run.key_schema
    }
    return [_with_schema(run, by_ref, by_keys) for run in joined]


def _preference(run: RunView) -> tuple[bool, bool, tuple[int, int, int, str], str]:
    deleted = run.lifecycle is not Lifecycle.ACTIVE
    return (deleted, run.status is not RunStatus.FINISHED, newest_first(run), run.run_id)


class _Names:
    """What runs are called: by their refs, and, where that names none, by their backend ids."""

    def __init__(self, by_ref: Mapping[str, RunView]) -> None:
        self.by_ref = by_ref

    def ref(self, target: str | None) -> str | None:
        """The ref of the run that is named; the name itself where there is no such run."""
        if not target:
            return None
        return target if target in self.by_ref else self._by_id.get(target, target)

    @cached_property
    def _by_id(self) -> dict[str, str]:
        names: dict[str, str] = {}
        for run in self.by_ref.values():
            if run.run_id:
                names.setdefault(run.run_id, run.ref)
                names.setdefault(f"run:{run.run_id}", run.ref)
        return names


def _edges(run: RunView, names: _Names) -> RunView:
    subject = run.subject if run.stage is not Stage.BENCHMARK else _subject(run)
    parent, refit_of, subject = names.ref(run.parent), names.ref(run.refit_of), names.ref(subject)
    if (parent, refit_of, subject) == (run.parent, run.refit_of, run.subject):
        return run
    return replace(run, parent=parent, refit_of=refit_of, subject=subject)


def _subject(run: RunView) -> str | None:
    """The run that was measured: recorded; legacy: first in the benchmark key, else the lineage's refit."""
    if run.subject or run.key_schema is KeySchema.V3:
        return run.subject
    first, colon, _ = (run.benchmark_key or "").partition(":")
    if colon and first and first != "bk3":
        return first
    return run.lineage.get("refit")


def _from_sweep(run: RunView, by_ref: Mapping[str, RunView]) -> RunView:
    if run.stage not in (Stage.TRIAL, Stage.REFIT) or (run.key_schema and run.objectives and run.family):
        return run
    sweep = by_ref.get(run.parent or "")
    if sweep is None or sweep.stage is not Stage.SWEEP:
        return run
    return replace(
        run,
        key_schema=run.key_schema or sweep.key_schema,
        objectives=run.objectives or sweep.objectives,
        family=run.family or sweep.family,
    )


def _with_schema(
    run: RunView,
    by_ref: Mapping[str, RunView],
    by_keys: Mapping[tuple[str | None, str | None], KeySchema],
) -> RunView:
    if run.key_schema or run.stage not in _NAMING:
        return run
    named = by_ref.get((run.refit_of if run.stage is Stage.REFIT else run.subject) or "")
    schema = (named.key_schema if named else None) or by_keys.get((run.study_key, run.trial_key))
    return replace(run, key_schema=schema) if schema else run
