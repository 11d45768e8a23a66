"""What a sweep gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from ..domain.aggregate import pareto_set
from ..domain.errors import NoCompleteTrial
from ..domain.keys import RunKey, TrialKey
from ..domain.study import Direction, StudyDefinition
from ..ports.sampler import TrialState


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One trial of a study: `values` by objective, when it is COMPLETE; `folds` the same, fold by fold. Times are
    UTC milliseconds; 0 where its run is not known.

    `duplicate_of` names the earlier run that stands for it; then `run_key` is that run's. A point that was told
    as failed because it had failed too often is FAILED and has it, too.
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
    folds: tuple[Mapping[str, float], ...] = ()
    started_at: int = 0
    ended_at: int = 0


@dataclass(frozen=True, slots=True)
class SweepResult:
    """A study after a session: all of its trials, by number. `outcome` None: nothing was left to do."""

    study: StudyDefinition
    run_key: RunKey
    outcome: str | None
    trials: tuple[TrialRecord, ...] = field(repr=False)
    warnings: tuple[str, ...] = ()

    def counts(self) -> dict[str, int]:
        """How many trials ended how; a duplicate counts as nothing else."""
        failed = sum(1 for trial in self.trials if trial.state is TrialState.FAILED)
        trained = [trial.state for trial in self.trials if trial.duplicate_of is None]
        complete, pruned = trained.count(TrialState.COMPLETE), trained.count(TrialState.PRUNED)
        running = trained.count(TrialState.RUNNING)
        return {
            "total": len(self.trials),
            "complete": complete,
            "pruned": pruned,
            "failed": failed,
            "duplicate": len(self.trials) - complete - pruned - failed - running,
        }

    @property
    def pareto(self) -> tuple[TrialRecord, ...]:
        """The COMPLETE trials that no other beats, by number; of one objective, those with the best value."""
        return pareto_of(self.study, self.trials)

    @property
    def best(self) -> TrialRecord:
        """The best COMPLETE trial: by objective, then the newest (higher attempt, later start, later end).

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
    """The best COMPLETE trial of a study with one objective, or None. Ties are decided as for champions, so that
    a refit of this trial is the one that a selection asks for.
    """
    if len(study.objectives) != 1:
        return None
    objective = study.objectives[0]
    sign = -1.0 if objective.direction is Direction.MAXIMIZE else 1.0
    complete = [t for t in trials if t.state is TrialState.COMPLETE and t.values and t.duplicate_of is None]
    return min(
        complete,
        key=lambda t: (
            sign * (t.values or {})[objective.metric],
            (-t.attempt, -t.started_at, -t.ended_at, t.run_key),
        ),
        default=None,
    )


def pareto_of(study: StudyDefinition, trials: tuple[TrialRecord, ...]) -> tuple[TrialRecord, ...]:
    """The COMPLETE trials that no other dominates, by number; repeated points stand once."""
    complete = [t for t in trials if t.state is TrialState.COMPLETE and t.values and t.duplicate_of is None]
    points = [tuple((t.values or {})[each.metric] for each in study.objectives) for t in complete]
    kept = pareto_set(points, [each.direction for each in study.objectives])
    return tuple(complete[position] for position in kept)
