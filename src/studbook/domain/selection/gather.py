"""From all runs of a scope to the inputs of a decision: joined, screened, counted and trimmed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from heapq import nsmallest

from ..run import RunStatus
from ..run_view import KeySchema, RunView
from ..stage import Stage
from ..stored_run import Lifecycle
from .inputs import Inputs, QuerySet, RunSet, Screened, ScreenedReason
from .joining import join
from .measurement import spread_name
from .metric import MetricFrom
from .objective import resolve_objective
from .plan import SelectionPlan
from .pool import Pool
from .rejection import RejectionReason
from .run_record import stub, trimmed
from .scope import check_prefixes, out_of_scope
from .screen import not_taking_part
from .unmeasured import unmeasured_trials
from .warning import SelectionWarning, WarningCode, merge_warnings

_QUERIED = (Stage.TRIAL, Stage.REFIT, Stage.BENCHMARK)


def gather(
    runs: Iterable[RunView],
    plan: SelectionPlan,
    *,
    list_screened: int = 100,
    screen_unmeasured: bool = True,
    warnings: Iterable[SelectionWarning] = (),
) -> Inputs:
    """The inputs of a decision from distinct runs.

    Runs that fail checks 1 to 3 are screened: counted, digested, listed up to `list_screened` a reason. So
    are, unless `screen_unmeasured` is off, trials that no benchmark names when the policy needs one. `warnings` are
    those that the runs came with.
    """
    split = _Split.of(join(runs), plan)
    plan = _with_objective(plan, split)
    if screen_unmeasured and plan.policy.needs_benchmark:
        split.screen_trials(unmeasured_trials(split.pool(), plan))
    return split.inputs(plan, list_screened, warnings)


@dataclass(slots=True)
class _Split:
    """Runs in scope: those that take part, those that are screened, by reason, and those that a refit names and that
    do not take part: the link needs them to be there.
    """

    taking_part: dict[str, RunView] = field(default_factory=dict)
    screened: dict[RejectionReason, list[RunView]] = field(default_factory=dict)
    finished: dict[Stage, RunSet] = field(default_factory=lambda: {stage: RunSet() for stage in _QUERIED})
    assumed: set[str] = field(default_factory=set)
    cited: tuple[RunView, ...] = ()

    @classmethod
    def of(cls, known: Sequence[RunView], plan: SelectionPlan) -> _Split:
        check_prefixes(plan.scope, (run.study_key for run in known if run.study_key))
        split = cls()
        for run in known:
            if run.stage in _QUERIED and out_of_scope(run, plan.scope) is None:
                split.add(_assume(run, plan, split), plan)
        refits = (run for run in split.taking_part.values() if run.stage is Stage.REFIT)
        named = {refit.refit_of for refit in refits if refit.refit_of} - split.taking_part.keys()
        split.cited = tuple(run for run in known if run.ref in named)
        return split

    def add(self, run: RunView, plan: SelectionPlan) -> None:
        if _usable(run) and run.stage is not None:
            self.finished[run.stage].add(run)
        if fault := not_taking_part(run, plan.scope):
            self.screened.setdefault(fault[0], []).append(run)
        else:
            self.taking_part[run.ref] = run

    def screen_trials(self, reasons: dict[str, RejectionReason]) -> None:
        for ref, reason in reasons.items():
            self.screened.setdefault(reason, []).append(self.taking_part.pop(ref))

    def pool(self) -> Pool:
        stages: dict[Stage | None, list[RunView]] = {}
        for run in self.taking_part.values():
            stages.setdefault(run.stage, []).append(run)
        return Pool(
            trials=tuple(stages.get(Stage.TRIAL, ())),
            refits=tuple(stages.get(Stage.REFIT, ())),
            benchmarks=tuple(stages.get(Stage.BENCHMARK, ())),
            cited=self.cited,
        )

    def inputs(self, plan: SelectionPlan, list_screened: int, warnings: Iterable[SelectionWarning]) -> Inputs:
        """What the decision reads; the runs are given up for it."""
        screened = self._screened(list_screened, warnings)
        names = _metrics_read(plan)
        experiments = plan.scope.experiments
        return Inputs(
            plan=plan,
            runs=tuple(trimmed(self.taking_part.pop(ref), names) for ref in sorted(self.taking_part)),
            cited=tuple(sorted((stub(run) for run in self.cited), key=lambda run: run.ref)),
            candidate_set=tuple(
                QuerySet(stage, experiments, found.count, found.digest)
                for stage, found in self.finished.items()
            ),
            screened=screened,
        )

    def _screened(self, listed: int, warnings: Iterable[SelectionWarning]) -> Screened:
        everyone = [run for found in self.screened.values() for run in found]
        refits = [run for run in everyone if run.stage is Stage.REFIT and not _usable(run)]
        return Screened(
            reasons={reason: _tally(found, listed) for reason, found in sorted(self.screened.items())},
            open_studies=tuple(
                sorted({run.study_key for run in everyone if _running(run) and run.study_key})
            ),
            refits=tuple(trimmed(run, frozenset()) for run in sorted(refits, key=lambda run: run.ref)),
            warnings=merge_warnings((*self._warnings(), *warnings)),
        )

    def _warnings(self) -> tuple[SelectionWarning, ...]:
        assumed = sorted(self.assumed & self.taking_part.keys())
        if not assumed:
            return ()
        detail = "no key schema recorded: scope.assume_schema decides"
        return (SelectionWarning(WarningCode.SCHEMA_ASSUMED, tuple(assumed), detail),)


def _with_objective(plan: SelectionPlan, split: _Split) -> SelectionPlan:
    """The plan with the objective's metric spelt out: the trials that are left may not record it."""
    trials = (run for run in split.taking_part.values() if run.stage is Stage.TRIAL)
    objective = resolve_objective(trials, plan.policy.objective)
    if objective is None or plan.policy.objective.metric is not None:
        return plan
    named = plan.policy.objective.model_copy(update={"metric": objective.name})
    return plan.model_copy(update={"policy": plan.policy.model_copy(update={"objective": named})})


def _assume(run: RunView, plan: SelectionPlan, split: _Split) -> RunView:
    if run.key_schema is not None or plan.scope.assume_schema is None:
        return run
    split.assumed.add(run.ref)
    return replace(run, key_schema=KeySchema(plan.scope.assume_schema))


def _metrics_read(plan: SelectionPlan) -> frozenset[str]:
    names = {plan.policy.objective.metric or "", *plan.policy.benchmark.required_metrics}
    for _, spec in plan.policy.metrics:
        names.add(spec.stored_name)
        if spec.source is MetricFrom.BENCHMARK and (spread := spread_name(spec.name)):
            names.add(spread)
    return frozenset(names - {""})


def _tally(runs: list[RunView], listed: int) -> ScreenedReason:
    found = RunSet.of(runs)
    return ScreenedReason(
        count=found.count,
        trials=sum(run.stage is Stage.TRIAL for run in runs),
        digest=found.digest,
        listed=tuple(nsmallest(listed, (run.ref for run in runs))),
    )


def _usable(run: RunView) -> bool:
    return run.status is RunStatus.FINISHED and run.lifecycle is Lifecycle.ACTIVE


def _running(run: RunView) -> bool:
    return run.stage is Stage.TRIAL and run.status is RunStatus.RUNNING and run.lifecycle is Lifecycle.ACTIVE
