"""Champions: the best trial of each model family, from a study whose level is not one lucky trial."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..run_view import KeySchema, RunView
from .candidate import UNKNOWN_FAMILY
from .candidates import serve
from .config import SelectionConfig
from .gather import gather
from .joining import distinct
from .metric import MetricSpec
from .objective import resolve_objective
from .order import ascending, median, newest_first, round12
from .plan import SelectionPlan
from .pool import Pool
from .refit_mapping import RefitMapping
from .rejection import Rejection, RejectionReason, in_order
from .screen import TrialChecks, screen
from .sweep_trials import service_best_differs
from .warning import SelectionWarning, WarningCode, merge_warnings


@dataclass(frozen=True, slots=True)
class Champion:
    """The best trial of a family, what stands for it, and the level of its study."""

    family: str
    schema: KeySchema
    study_key: str
    trial: str
    trial_key: str | None
    refit: str | None
    artifact_run: str
    mapping: RefitMapping
    metric: str
    value: float
    stable_score: float
    dataset_version: str | None = None


@dataclass(frozen=True, slots=True)
class ChampionGroup:
    """One study of one family: how many trials, how many valid, and its level (None when not eligible)."""

    family: str
    schema: KeySchema
    study_key: str
    n: int
    n_valid: int
    stable_score: float | None
    best: float
    eligible: bool


@dataclass(frozen=True, slots=True)
class ChampionReport:
    """Champions and groups by family; families without a champion are `skipped`, with a reason."""

    champions: tuple[Champion, ...]
    skipped: tuple[tuple[str, RejectionReason, str], ...]
    groups: tuple[ChampionGroup, ...]
    rejected: tuple[Rejection, ...]
    warnings: tuple[SelectionWarning, ...]


def choose_champions(
    runs: Iterable[RunView],
    config: SelectionConfig,
    experiments: Iterable[str] = (),
    warnings: Iterable[SelectionWarning] = (),
) -> ChampionReport:
    """The champions among all runs of the scope; `warnings` are those that the runs came with.

    Raises MixedObjectives when the studies disagree about the objective. A family without a champion never
    hides the others.
    """
    plan = config.plan(experiments)
    inputs = gather(distinct(runs), plan, screen_unmeasured=False, warnings=warnings)
    objective = resolve_objective(inputs.pool.trials, plan.policy.objective)
    report = champions_of(inputs.pool, plan, objective)
    return ChampionReport(
        champions=report.champions,
        skipped=report.skipped,
        groups=report.groups,
        rejected=tuple(in_order((*report.rejected, *inputs.screened_rejections()))),
        warnings=merge_warnings((*report.warnings, *inputs.screened.warnings)),
    )


def champions_of(pool: Pool, plan: SelectionPlan, objective: MetricSpec | None) -> ChampionReport:
    """The champions of a pool: its trials are champions, rejected, or beaten by their family's champion."""
    config = plan.policy.champions
    checks = TrialChecks(objective, plan.policy.objective.configured, family_required=True)
    valid, rejected = screen(pool.trials, checks)
    n = _count((run.family, run.key_schema, run.study_key) for run in pool.trials)
    warnings: list[SelectionWarning] = []
    if config.top_k > config.min_trials:
        detail = f"top_k {config.top_k} is used as {config.min_trials}, the smallest eligible study"
        warnings.append(SelectionWarning(WarningCode.TOP_K_CLAMPED, (), detail))
    champions: list[Champion] = []
    chosen: list[RunView] = []
    skipped: list[tuple[str, RejectionReason, str]] = _without_valid(pool.trials, valid, rejected)
    groups: list[ChampionGroup] = []
    families: dict[str, list[RunView]] = {}
    for run in valid:
        families.setdefault(run.family or UNKNOWN_FAMILY, []).append(run)
    for family in sorted(families):
        assert objective is not None  # noqa: S101 (no trial is valid without one)
        studies = _studies(families[family], objective, plan)
        used = _used(studies, plan)
        groups.extend(study.group(family, n) for study in studies)
        rejected.extend(_unused(studies, used, mixed=plan.scope.mix_schemas))
        if not used:
            most = max(len(study.trials) for study in studies)
            detail = f"no study has {config.min_trials} valid trials; the largest has {most}"
            skipped.append((family, RejectionReason.GROUP_TOO_SMALL, detail))
            continue
        best = min(used, key=lambda study: study.order)
        mapping = pool.mapping(best.best, plan.policy.refit, plan.scope.refits)
        served = serve(best.best, mapping, pool, plan)
        if isinstance(served, Rejection):
            rejected.append(served)
            skipped.append((family, served.reason, f"trial {best.best.ref}: {served.detail}"))
            continue
        warnings.extend((*mapping.warnings, *served.warnings))
        champions.append(best.champion(family, mapping, served.ref))
        chosen.append(best.best)
    warnings.extend(service_best_differs(chosen))
    return ChampionReport(
        tuple(champions),
        tuple(sorted(skipped)),
        tuple(groups),
        tuple(in_order(rejected)),
        merge_warnings(warnings),
    )


@dataclass(frozen=True, slots=True)
class _Study:
    """Valid trials of one study, the best one first."""

    schema: KeySchema
    study_key: str
    trials: tuple[RunView, ...]
    objective: MetricSpec
    eligible: bool
    k: int
    rank: int

    def value(self, run: RunView) -> float:
        return float(run.metrics[self.objective.name])

    @property
    def best(self) -> RunView:
        return self.trials[0]

    @property
    def stable_score(self) -> float:
        return round12(median([self.value(run) for run in self.trials[: self.k]]))

    @property
    def order(self) -> tuple[float, float, tuple[int, int, int, str], str, int]:
        direction, best = self.objective.direction, self.best
        stable, top = ascending(self.stable_score, direction), ascending(self.value(best), direction)
        return (stable, top, newest_first(best), self.study_key, self.rank)

    def group(
        self, family: str, n: dict[tuple[str | None, KeySchema | None, str | None], int]
    ) -> ChampionGroup:
        return ChampionGroup(
            family=family,
            schema=self.schema,
            study_key=self.study_key,
            n=n[family, self.schema, self.study_key],
            n_valid=len(self.trials),
            stable_score=self.stable_score if self.eligible else None,
            best=self.value(self.best),
            eligible=self.eligible,
        )

    def champion(self, family: str, mapping: RefitMapping, artifact_run: str) -> Champion:
        best = self.best
        return Champion(
            family=family,
            schema=self.schema,
            study_key=self.study_key,
            trial=best.ref,
            trial_key=best.trial_key,
            refit=mapping.refit,
            artifact_run=artifact_run,
            mapping=mapping,
            metric=self.objective.name,
            value=self.value(best),
            stable_score=self.stable_score,
            dataset_version=best.dataset_version,
        )


def _studies(trials: Sequence[RunView], objective: MetricSpec, plan: SelectionPlan) -> list[_Study]:
    """The studies of a family by schema and key: equal key texts of two schemas never merge."""
    config, schemas = plan.policy.champions, plan.scope.schemas

    def best_first(run: RunView) -> tuple[float, tuple[int, int, int, str]]:
        return ascending(float(run.metrics[objective.name]), objective.direction), newest_first(run)

    grouped: dict[tuple[KeySchema, str], list[RunView]] = {}
    for run in trials:
        if run.key_schema is not None and run.study_key is not None:
            grouped.setdefault((run.key_schema, run.study_key), []).append(run)
    return [
        _Study(
            schema=schema,
            study_key=study_key,
            trials=tuple(sorted(members, key=best_first)),
            objective=objective,
            eligible=len(members) >= config.min_trials,
            k=min(config.top_k, config.min_trials),
            rank=schemas.index(schema),
        )
        for (schema, study_key), members in sorted(grouped.items(), key=lambda item: item[0])
    ]


def _used(studies: Sequence[_Study], plan: SelectionPlan) -> list[_Study]:
    eligible = [study for study in studies if study.eligible]
    if plan.scope.mix_schemas or not eligible:
        return eligible
    first = min(study.rank for study in eligible)
    return [study for study in eligible if study.rank == first]


def _unused(studies: Sequence[_Study], used: Sequence[_Study], *, mixed: bool) -> list[Rejection]:
    found: list[Rejection] = []
    for study in studies:
        if study in used:
            continue
        if used and not mixed and study.rank > used[0].rank:
            reason, detail = RejectionReason.SCHEMA_EXCLUDED, f"schema {used[0].schema} comes first"
        else:
            reason, detail = RejectionReason.GROUP_TOO_SMALL, f"{len(study.trials)} valid trials"
        found.extend(Rejection(run.ref, reason, detail, step="champions") for run in study.trials)
    return found


def _without_valid(
    trials: Iterable[RunView], valid: Sequence[RunView], rejected: Sequence[Rejection]
) -> list[tuple[str, RejectionReason, str]]:
    """Families none of whose trials is valid, with the first reason of them all."""
    alive = {run.family for run in valid}
    reasons = {rejection.ref: rejection for rejection in rejected}
    lost: dict[str, list[Rejection]] = {}
    for run in trials:
        if run.family not in alive:
            lost.setdefault(run.family or UNKNOWN_FAMILY, []).append(reasons[run.ref])
    order = list(RejectionReason)
    skipped: list[tuple[str, RejectionReason, str]] = []
    for family, found in lost.items():
        last = max(found, key=lambda rejection: (order.index(rejection.reason), rejection.detail))
        skipped.append((family, last.reason, f"none of {len(found)} trials is valid: {last.detail}"))
    return skipped


def _count(
    keys: Iterable[tuple[str | None, KeySchema | None, str | None]],
) -> dict[tuple[str | None, KeySchema | None, str | None], int]:
    counts: dict[tuple[str | None, KeySchema | None, str | None], int] = {}
    for key in keys:
        counts[key] = counts.get(key, 0) + 1
    return counts
