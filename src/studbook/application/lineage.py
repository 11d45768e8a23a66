"""Where a run came from, from what the store holds."""

from __future__ import annotations

from ..domain.errors import RunNotFound
from ..domain.lineage import LineageNode, lineage_of
from ..domain.run_view import RunView
from ..domain.stage import Stage
from .run_catalog import RunCatalog
from .subject import Target, resolve_subject


class TraceLineage:
    """The use case: follows a run's edges until nothing new is named."""

    def __init__(self, catalog: RunCatalog) -> None:
        self._catalog = catalog

    def __call__(self, target: Target) -> LineageNode:
        """The tree of the target's ancestors. Raises RunNotFound for the target; a missing ancestor is a leaf."""
        root = self._root(target)
        runs = {root.ref: root}
        missing: set[str] = set()
        while True:
            tree = lineage_of(root.ref, runs, self._catalog.vocabulary)
            named = {node.ref for node in tree.walk() if isinstance(node.run, str)} - missing
            if not named:
                return tree
            for ref in sorted(named):
                try:
                    run = self._catalog.by_ref(ref)
                except RunNotFound:
                    missing.add(ref)
                else:
                    runs |= {each.ref: each for each in (run, *self._beside(run))}

    def _root(self, target: Target) -> RunView:
        if isinstance(target, RunView):
            return target
        if isinstance(target, str):
            return self._catalog.resolve(target)
        subject = resolve_subject(target, self._catalog)
        return self._catalog.resolve(subject.selection) if subject.selection else subject.run

    def _beside(self, run: RunView) -> tuple[RunView, ...]:
        """The folds of a trial, and the benchmarks of a run that was measured."""
        folds: tuple[RunView, ...] = ()
        if run.stage is Stage.TRIAL and run.trial_key is not None:
            folds = self._catalog.find([Stage.FOLD], flush=False, trial_key=run.trial_key)
        measured = run.stage in (Stage.REFIT, Stage.TRIAL, Stage.FINAL_TRAINING)
        benchmarks = (
            self._catalog.find([Stage.BENCHMARK], flush=False, benchmark_subject=run.ref) if measured else ()
        )
        return folds + benchmarks
