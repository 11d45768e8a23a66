"""One open study over Optuna's ask and tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from ...domain.errors import SweepError
from ...domain.objective_values import intermediate_value, objective_values
from ...ports.sampler import Proposal, SampledTrial, TrialState
from .search_space import OptunaSpace
from .vendor_errors import storage_in_use

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

_ATTRIBUTE = "studbook."
_STATES = {
    "RUNNING": TrialState.RUNNING,
    "COMPLETE": TrialState.COMPLETE,
    "PRUNED": TrialState.PRUNED,
    "FAIL": TrialState.FAILED,
}


class OptunaStudy:
    """A study in an Optuna storage. Attributes are its user attributes `studbook.<name>`.

    `points` is how many a grid has: each is proposed once, so that many trials are all there is to ask for.
    """

    def __init__(
        self,
        study: Study,
        storage: BaseStorage,
        space: OptunaSpace,
        *,
        points: int | None,
        close: Callable[[], None],
    ) -> None:
        self._study = study
        self._storage = storage
        self._space = space
        self._points = points
        self._close = close
        self._running: dict[int, Trial] = {}

    def ask(self) -> Proposal | None:
        """The next point; None when every point of a grid was proposed."""
        with storage_in_use():
            if self._points is not None and len(self._study.get_trials(deepcopy=False)) >= self._points:
                return None
            trial = self._study.ask(self._space.distributions)
            self._running[trial.number] = trial
            return Proposal(trial.number, self._space.params(trial.params))

    def report(self, number: int, value: float, step: int) -> None:
        """An intermediate value. With several objectives there is no pruner to see it: checked only."""
        with storage_in_use():
            found = self._unfinished(number)
            checked = intermediate_value(value, step, found.last_step)
            if len(self._study.directions) == 1:
                self._trial(number).report(checked, step)

    def should_prune(self, number: int) -> bool:
        """What the pruner says of a running point."""
        with storage_in_use():
            self._unfinished(number)
            return len(self._study.directions) == 1 and self._trial(number).should_prune()

    def complete(self, number: int, values: Sequence[float], attributes: Mapping[str, str]) -> None:
        """Raises MetricValueInvalid for NaN and infinity, SweepError for a point that ended otherwise."""
        checked = objective_values(values, len(self._study.directions))
        self._end(number, TrialState.COMPLETE, checked, attributes)

    def prune(self, number: int, attributes: Mapping[str, str]) -> None:
        """Raises SweepError for a point that ended otherwise."""
        self._end(number, TrialState.PRUNED, None, attributes)

    def fail(self, number: int, attributes: Mapping[str, str]) -> None:
        """Also for a point that a dead process left running. Raises SweepError if it ended otherwise."""
        self._end(number, TrialState.FAILED, None, attributes)

    def trials(self) -> tuple[SampledTrial, ...]:
        """All points, those of earlier sessions too. Points that wait to be asked for are none yet."""
        with storage_in_use():
            found = self._study.get_trials(deepcopy=False)
        return tuple(self._sampled(trial) for trial in found if trial.state.name in _STATES)

    def close(self) -> None:
        """Give back connections."""
        self._close()

    def _end(
        self,
        number: int,
        state: TrialState,
        values: tuple[float, ...] | None,
        attributes: Mapping[str, str],
    ) -> None:
        with storage_in_use():
            ended = self._sampled(self._frozen(number))
            if ended.state is not TrialState.RUNNING:
                if (ended.state, ended.values) == (state, values):
                    return
                raise SweepError(
                    f"trial {number} has ended as {ended.state}, it cannot become {state}",
                    cure="tell each point's end once; another end is another trial",
                )
            trial = self._trial(number)
            # Before the end: Optuna takes no attribute of a trial that has ended.
            for name, text in attributes.items():
                trial.set_user_attr(_ATTRIBUTE + name, text)
            self._tell(number, state, values)
            self._running.pop(number, None)

    def _tell(self, number: int, state: TrialState, values: tuple[float, ...] | None) -> None:
        from optuna.trial import TrialState as VendorState

        name = next(name for name, ours in _STATES.items() if ours is state)
        try:
            self._study.tell(number, values=values, state=VendorState[name])
        except RuntimeError:
            # A grid tells its study to stop at its last point, which only `optimize` can; the end is stored.
            if self._points is None or not self._frozen(number).state.is_finished():
                raise

    def _frozen(self, number: int) -> FrozenTrial:
        with suppress(KeyError):
            if number >= 0:
                return self._storage.get_trial(self._trial_id(number))
        raise SweepError(f"the study has no trial {number}", cure="tell only points that were asked for")

    def _unfinished(self, number: int) -> FrozenTrial:
        found = self._frozen(number)
        if found.state.is_finished():
            raise SweepError(f"trial {number} has ended", cure="report before telling the end")
        return found

    def _trial(self, number: int) -> Trial:
        """The live trial; one that another process asked for is attached without drawing from the sampler."""
        if number not in self._running:
            from optuna import Study, Trial
            from optuna.samplers import RandomSampler

            passive = Study(self._study.study_name, self._storage, RandomSampler(), self._study.pruner)
            self._running[number] = Trial(passive, self._trial_id(number))
        return self._running[number]

    def _trial_id(self, number: int) -> int:
        study = self._storage.get_study_id_from_name(self._study.study_name)
        return self._storage.get_trial_id_from_study_id_trial_number(study, number)

    def _sampled(self, trial: FrozenTrial) -> SampledTrial:
        state = _STATES[trial.state.name]
        attributes = {
            name.removeprefix(_ATTRIBUTE): str(text)
            for name, text in trial.user_attrs.items()
            if name.startswith(_ATTRIBUTE)
        }
        return SampledTrial(
            number=trial.number,
            params=self._space.params(trial.params),
            state=state,
            # Optuna makes a pruned trial's last report its value; it is none.
            values=tuple(trial.values) if state is TrialState.COMPLETE else None,
            attributes=attributes,
        )
