"""What a sweep gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from ..domain.errors import NoCompleteTrial
from ..domain.keys import RunKey, TrialKey
from ..domain.study import Direction, StudyDefinition
from ..ports.sampler import TrialState


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One trial of a study: `values` by objective, when it is COMPLETE.

    `duplicate_of` names the earlier run that stands for it; then `run_key` is that run's.
    """

    number: int
    trial_key: TrialKey
    run_key: RunKey
    attempt: int
    state: TrialState
    params: Mapping[str, JsonValue]
    values: Mapping[str, float] | None = None
    duplicate_of: RunKey | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class SweepResult:
    """A study after a session: all of its trials, by number. `outcome` None: nothing was left to do."""

    study: StudyDefinition
    run_key: RunKey
    outcome: str | None
    trials: tuple[TrialRecord, ...] = field(repr=False)
    warnings: tuple[str, ...] = ()

    def counts(self) -> dict[str, int]:
        """How many trials ended how."""
        of = [trial.state for trial in self.trials if trial.duplicate_of is None]
        return {
            "total": len(self.trials),
            "complete": of.count(TrialState.COMPLETE),
            "pruned": of.count(TrialState.PRUNED),
            "failed": of.count(TrialState.FAILED),
            "duplicate": sum(1 for trial in self.trials if trial.duplicate_of is not None),
        }

    @property
    def best(self) -> TrialRecord:
        """The best COMPLETE trial: by objective, then the higher attempt, then the earlier number.

        Raises NoCompleteTrial; with several objectives, too: name a trial.
        """
        best = best_of(self.study, self.trials)
        if best is None:
            raise NoCompleteTrial(
                f"study {self.study.name!r} has no single best trial among its {len(self.trials)}",
                cure="see `studbook runs --stage hpo_trial` for why trials failed"
                if len(self.study.objectives) == 1
                else "with several objectives, name the trial that you want",
            )
        return best


def best_of(study: StudyDefinition, trials: tuple[TrialRecord, ...]) -> TrialRecord | None:
    """The best COMPLETE trial of a study with one objective, or None."""
    if len(study.objectives) != 1:
        return None
    objective = study.objectives[0]
    sign = -1.0 if objective.direction is Direction.MAXIMIZE else 1.0
    complete = [t for t in trials if t.state is TrialState.COMPLETE and t.values and t.duplicate_of is None]
    return min(
        complete,
        key=lambda t: (sign * (t.values or {})[objective.metric], -t.attempt, t.number),
        default=None,
    )
