"""The runs that a decision is made from, and the refits that belong to each trial."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from ..run_view import RunView
from ..stage import Stage
from .order import newest_first
from .refit_mapping import RefitMapping, map_refit
from .screen import TrialIdentity, repeated, trial_identity
from .sections import RefitConfig, RefitScope


@dataclass(frozen=True)
class Pool:
    """Runs that passed checks 1 to 3, by stage.

    `cited` are other runs that a refit names (trials that failed, other stages); `other_refits` are refits
    that failed checks 1 to 3: they map to nothing, and are kept to say why.
    """

    trials: tuple[RunView, ...]
    refits: tuple[RunView, ...]
    benchmarks: tuple[RunView, ...]
    cited: tuple[RunView, ...] = ()
    other_refits: tuple[RunView, ...] = ()

    def mapping(self, trial: RunView, config: RefitConfig, scope: RefitScope) -> RefitMapping:
        """The refit of a trial, among those in its experiment or in all experiments."""
        runs = self._repeated.get(trial_identity(trial), [trial])
        refits = self._related(runs)
        if scope is RefitScope.EXPERIMENT:
            refits = [refit for refit in refits if refit.experiment == trial.experiment]
        return map_refit(runs, refits, config.rule, trial=trial, known=self._known if refits else None)

    def run(self, ref: str) -> RunView:
        """The trial or refit of this ref."""
        return self._by_ref[ref]

    @cached_property
    def _by_ref(self) -> dict[str, RunView]:
        return {run.ref: run for run in (*self.refits, *self.trials)}

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(run.ref for run in (*self.trials, *self.refits, *self.benchmarks, *self.cited))

    @cached_property
    def _repeated(self) -> dict[TrialIdentity, list[RunView]]:
        cited = (run for run in self.cited if run.stage is Stage.TRIAL)
        return repeated((*self.trials, *cited))

    @cached_property
    def _refits_by_link(self) -> dict[str, list[RunView]]:
        return _index((run.refit_of, run) for run in (*self.refits, *self.other_refits))

    @cached_property
    def _refits_by_key(self) -> dict[str, list[RunView]]:
        return _index((run.trial_key, run) for run in (*self.refits, *self.other_refits))

    def _related(self, runs: list[RunView]) -> list[RunView]:
        by_link, by_key = self._refits_by_link, self._refits_by_key
        related = {
            refit.ref: refit
            for run in runs
            for refit in (*by_link.get(run.ref, ()), *by_key.get(run.trial_key or "", ()))
        }
        return sorted(related.values(), key=newest_first)


def _index(pairs: Iterable[tuple[str | None, RunView]]) -> dict[str, list[RunView]]:
    index: dict[str, list[RunView]] = {}
    for key, run in pairs:
        if key:
            index.setdefault(key, []).append(run)
    return index
