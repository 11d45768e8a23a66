"""A sweep in the hands of the user: its trials, its best one, and the way on to a refit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..application.refit import RefitRequest
from ..domain.errors import NoCompleteTrial
from ..domain.refit_protocol import RefitProtocol

if TYPE_CHECKING:
    from ..application.delivered_runs import DeliveredRuns
    from ..application.refit import RefitReason
    from ..application.sweep_result import SweepResult, TrialRecord
    from ..application.train_context import TrainingFunction
    from ..domain.keys import RunKey
    from ..domain.selection.refit_mapping import RefitMapping
    from ..domain.study import StudyDefinition


class Sweep:
    """What `book.sweep` gives back."""

    def __init__(
        self,
        result: SweepResult,
        train: TrainingFunction,
        refit: Callable[[RefitRequest], RefitMapping],
        train_size: int | None,
        delivered: DeliveredRuns,
    ) -> None:
        self.result = result
        self._train = train
        self._refit = refit
        self._train_size = train_size
        self._delivered = delivered

    def __repr__(self) -> str:
        counts = ", ".join(f"{number} {what}" for what, number in self.result.counts().items())
        return f"Sweep({self.study.name!r}, {counts})"

    @property
    def study(self) -> StudyDefinition:
        """What was searched."""
        return self.result.study

    @property
    def run_key(self) -> RunKey:
        """The run of the newest session."""
        return self.result.run_key

    def url(self, timeout: float | None = None) -> str | None:
        """The page that shows the run of the newest session, delivering first; None where there is none. Raises
        DeliveryPending after `timeout` seconds.
        """
        return self._delivered.page(self.run_key, timeout)

    @property
    def trials(self) -> tuple[TrialRecord, ...]:
        """All trials of the study, by number."""
        return self.result.trials

    @property
    def best(self) -> TrialRecord:
        """The best COMPLETE trial. Raises NoCompleteTrial."""
        return self.result.best

    def refit(
        self,
        trial: TrialRecord | int | None = None,
        *,
        train: TrainingFunction | None = None,
        protocol: RefitProtocol | None = None,
        force: bool = False,
    ) -> RefitMapping:
        """Train a trial (the best one, or by number) on all data, and keep what is written below
        `context.output_dir` as its checkpoint. Made once for a trial and protocol, unless `force`.

        A metric named like the objective is recorded only where the protocol holds data back for validation:
        the score of a refit is its trial's.
        Raises NoCompleteTrial, RefitError, RefitBusy.
        """
        chosen = self._chosen(trial)
        reason: RefitReason = "best_trial" if trial is None else "requested"
        return self._refit(
            RefitRequest(
                study=self.study,
                trial=chosen,
                train=train or self._train,
                protocol=protocol or self._default_protocol(),
                reason=reason,
                train_size=self._train_size,
                force=force,
            )
        )

    def _chosen(self, trial: TrialRecord | int | None) -> TrialRecord:
        if trial is None:
            return self.best
        if not isinstance(trial, int):
            return trial
        for each in self.trials:
            if each.number == trial:
                return each
        raise NoCompleteTrial(
            f"study {self.study.name!r} has no trial {trial}",
            cure=f"its trials are 0 to {len(self.trials) - 1}",
        )

    def _default_protocol(self) -> RefitProtocol:
        study = self.study
        return RefitProtocol(
            data=study.data_key, eval=study.eval_key, budget=study.budget, seed_policy=study.seed_policy
        )
