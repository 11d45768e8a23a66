"""One open study over Optuna's ask and tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from ...domain.errors import InvalidInput, SweepError
from ...domain.objective_values import intermediate_value, objective_values
from ...ports.sampler import Proposal, SampledTrial, TrialState
from .grid import GridOrder
from .search_space import OptunaSpace
from .vendor_errors import storage_in_use

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial
    from optuna.trial import TrialState as VendorState

_ATTRIBUTE = "studbook."
_STATES = {
    "RUNNING": TrialState.RUNNING,
    "COMPLETE": TrialState.COMPLETE,
    "PRUNED": TrialState.PRUNED,
    "FAIL": TrialState.FAILED,
}


class OptunaStudy:
    """A study in an Optuna storage. Attributes are its user attributes `studbook.<name>`.

    With a grid, Optuna's sampler is passed by: each point is enqueued, and then asked for.
    """

    def __init__(
        self,
        study: Study,
        storage: BaseStorage,
        space: OptunaSpace,
        grid: GridOrder | None,
        *,
        close: Callable[[], None],
    ) -> None:
        self._study = study
        self._storage = storage
        self._space = space
        self._grid = grid
        self._close = close
        self._running: dict[int, Trial] = {}

    def ask(self) -> Proposal | None:
        """The next point; None when every point of a grid was proposed."""
        with storage_in_use():
            if self._grid is not None and not self._enqueued(self._grid):
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

    def add(self, trial: SampledTrial) -> int:
        """Raises InvalidInput for a running point, TrialParamsInvalid for one outside the space."""
        from optuna.trial import create_trial

        if trial.state is TrialState.RUNNING:
            raise InvalidInput("a running point cannot be taken over", cure="add it when it has ended")
        complete = trial.state is TrialState.COMPLETE
        taken = create_trial(
            state=_vendor(trial.state),
            values=objective_values(trial.values or (), len(self._study.directions)) if complete else None,
            params=self._space.sampled(trial.params),
            distributions=self._space.distributions,
            user_attrs={_ATTRIBUTE + name: text for name, text in trial.attributes.items()},
        )
        with storage_in_use():
            trial_id = self._storage.create_new_trial(self._study_id(), template_trial=taken)
            return self._storage.get_trial_number_from_id(trial_id)

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
            self._study.tell(number, values=values, state=_vendor(state))
            self._running.pop(number, None)

    def _enqueued(self, grid: GridOrder) -> bool:
        """Whether a point waits to be asked for: one that a killed process left, or the next new one."""
        found = self._study.get_trials(deepcopy=False)
        if any(trial.state.name == "WAITING" for trial in found):
            return True
        point = grid.untried(trial.params for trial in found)
        if point is not None:
            self._study.enqueue_trial(point)
        return point is not None

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
        return self._storage.get_trial_id_from_study_id_trial_number(self._study_id(), number)

    def _study_id(self) -> int:
        return self._storage.get_study_id_from_name(self._study.study_name)

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


def _vendor(state: TrialState) -> VendorState:
    from optuna.trial import TrialState as VendorState

    return VendorState[next(name for name, ours in _STATES.items() if ours is state)]
