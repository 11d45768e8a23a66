"""Trial → refit: the one rule that says which run stands for a trial."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ..errors import RefitMissing, RefitNotUsable
from ..run import RunStatus
from ..run_view import KeySchema, RunView
from ..stage import Stage
from ..stored_run import Lifecycle
from .order import newest_first
from .warning import SelectionWarning, WarningCode

LEGACY_SCHEMAS = frozenset({KeySchema.V1, KeySchema.V2})


class RefitVerdict(StrEnum):
    """What became of a run that has to do with the trial."""

    LINK = "LINK"
    KEY = "KEY"
    LINK_CONTRADICTS_KEY = "LINK_CONTRADICTS_KEY"
    LINK_ELSEWHERE = "LINK_ELSEWHERE"
    OTHER_STUDY = "OTHER_STUDY"
    DELETED = "DELETED"
    NOT_FINISHED = "NOT_FINISHED"
    PROTOCOL_MISMATCH = "PROTOCOL_MISMATCH"
    WRONG_STAGE = "WRONG_STAGE"


class MappingBasis(StrEnum):
    """Why the refit stands for the trial."""

    LINK = "LINK"
    KEY = "KEY"
    PROVIDED = "PROVIDED"
    NONE = "NONE"


class RefitRequirement(StrEnum):
    """Whether files are served from the refit only, from the refit or the trial, or from the trial."""

    REQUIRED = "required"
    PREFERRED = "preferred"
    TRIAL = "trial"


@dataclass(frozen=True, slots=True)
class RefitRule:
    """The protocol a refit must have, if any; legacy refits may lack one."""

    protocol_fp: str | None = None
    accept_missing_protocol: bool = True


@dataclass(frozen=True, slots=True)
class RefitMapping:
    """Which refit stands for a trial, and what was considered. Runs are named by ref."""

    trial: str
    trial_runs: tuple[str, ...]
    refit: str | None
    basis: MappingBasis
    protocol_fp: str | None
    considered: tuple[tuple[str, RefitVerdict], ...]
    warnings: tuple[SelectionWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class ArtifactRun:
    """The run whose files are served."""

    ref: str
    is_refit: bool
    warnings: tuple[SelectionWarning, ...] = ()


def map_refit(
    trial_runs: Sequence[RunView],
    refits: Iterable[RunView],
    rule: RefitRule,
    *,
    trial: RunView | None = None,
    known: Collection[str] | None = None,
    provided: str | None = None,
) -> RefitMapping:
    """The refit of one trial.

    `trial_runs` are all runs of the trial, whatever their status; `trial` is the one that stands for it
    (default: the newest FINISHED, active one, else the newest). `known` are the refs of all runs that exist:
    a link to none of them dangles; without it, a link to a run that is not of this trial counts as a link
    elsewhere. `provided` is the ref or backend id of a refit given by the caller. Raises RefitNotUsable when
    that one fails a check.
    """
    stands = trial or min(trial_runs, key=lambda run: (not _usable(run), newest_first(run)))
    names = tuple(sorted(run.ref for run in trial_runs))
    candidates = list(refits)
    if not candidates and provided is None:
        return RefitMapping(stands.ref, names, None, MappingBasis.NONE, None, ())
    judged = _judge(trial_runs, candidates, rule, known, provided)
    tiers = {
        tier: sorted((run for run, verdict in judged.values() if verdict is tier), key=newest_first)
        for tier in (RefitVerdict.LINK, RefitVerdict.KEY)
    }
    eligible = [*tiers[RefitVerdict.LINK], *tiers[RefitVerdict.KEY]]
    chosen = eligible[0] if eligible else None
    basis = MappingBasis(judged[chosen.ref][1].value) if chosen else MappingBasis.NONE
    if provided is not None:
        chosen, basis = _provided(provided, judged), MappingBasis.PROVIDED
    return RefitMapping(
        trial=stands.ref,
        trial_runs=names,
        refit=chosen.ref if chosen else None,
        basis=basis,
        protocol_fp=chosen.protocol_fp if chosen else None,
        considered=tuple(sorted((ref, verdict) for ref, (_, verdict) in judged.items())),
        warnings=_warnings(stands.ref, eligible, tiers[RefitVerdict.KEY]),
    )


def artifact_run(mapping: RefitMapping, requirement: RefitRequirement) -> ArtifactRun:
    """The run whose files are served; raises RefitMissing when a refit is required and none is mapped."""
    if requirement is RefitRequirement.TRIAL:
        return ArtifactRun(mapping.trial, is_refit=False)
    if mapping.refit is not None:
        return ArtifactRun(mapping.refit, is_refit=True)
    if requirement is RefitRequirement.PREFERRED:
        fallback = SelectionWarning(
            WarningCode.TRIAL_FALLBACK, (mapping.trial,), "no refit: the trial's own files"
        )
        return ArtifactRun(mapping.trial, is_refit=False, warnings=(fallback,))
    raise RefitMissing(
        f"no refit stands for trial {mapping.trial}: {verdicts(mapping)}",
        cure="call sweep.refit(), or set selection.refit.requirement to preferred or trial",
        trial=mapping.trial,
        considered=[(ref, str(verdict)) for ref, verdict in mapping.considered],
    )


def verdicts(mapping: RefitMapping) -> str:
    """What was considered, as one line."""
    if not mapping.considered:
        return "no refit run names it"
    return ", ".join(f"{ref} {verdict}" for ref, verdict in mapping.considered)


@dataclass(frozen=True, slots=True)
class _Relation:
    """What makes a run one of this trial's."""

    names: frozenset[str]
    study_key: str | None
    trial_key: str | None
    schema: KeySchema | None
    rule: RefitRule
    known: Collection[str] | None

    @classmethod
    def of(cls, trial_runs: Sequence[RunView], rule: RefitRule, known: Collection[str] | None) -> _Relation:
        ordered = sorted(trial_runs, key=newest_first)
        names = {name for run in ordered for name in (run.ref, run.run_id, f"run:{run.run_id}")}
        return cls(
            names=frozenset(names - {"", "run:"}),
            study_key=next((run.study_key for run in ordered if run.study_key), None),
            trial_key=next((run.trial_key for run in ordered if run.trial_key), None),
            schema=next((run.key_schema for run in ordered if run.key_schema), None),
            rule=rule,
            known=known,
        )

    def verdict(self, run: RunView, provided: str | None) -> RefitVerdict | None:
        """The verdict on one run; None when it has nothing to do with this trial."""
        linked = run.refit_of is not None and run.refit_of in self.names
        if run.stage is not Stage.REFIT:
            given = provided is not None and provided in (run.ref, run.run_id)
            return RefitVerdict.WRONG_STAGE if linked or given else None
        tier = self._tier(run, linked=linked)
        if tier not in (RefitVerdict.LINK, RefitVerdict.KEY):
            return tier
        if run.lifecycle is not Lifecycle.ACTIVE:
            return RefitVerdict.DELETED
        if run.status is not RunStatus.FINISHED:
            return RefitVerdict.NOT_FINISHED
        return tier if self._protocol_accepted(run) else RefitVerdict.PROTOCOL_MISMATCH

    def _tier(self, run: RunView, *, linked: bool) -> RefitVerdict | None:
        same_trial = run.trial_key is not None and run.trial_key == self.trial_key
        if linked:
            agrees = _agree(run.study_key, self.study_key) and _agree(run.trial_key, self.trial_key)
            return RefitVerdict.LINK if agrees else RefitVerdict.LINK_CONTRADICTS_KEY
        if not same_trial:
            return None
        if run.refit_of is not None and (self.known is None or run.refit_of in self.known):
            return RefitVerdict.LINK_ELSEWHERE
        same_study = run.study_key is not None and run.study_key == self.study_key
        return (
            RefitVerdict.KEY
            if same_study and _agree(run.key_schema, self.schema)
            else RefitVerdict.OTHER_STUDY
        )

    def _protocol_accepted(self, run: RunView) -> bool:
        wanted = self.rule.protocol_fp
        if wanted is None:
            return True
        if run.protocol_fp is None:
            return self.rule.accept_missing_protocol and run.key_schema in LEGACY_SCHEMAS
        return run.protocol_fp.removeprefix("rp3:") == wanted.removeprefix("rp3:")


def _judge(
    trial_runs: Sequence[RunView],
    refits: list[RunView],
    rule: RefitRule,
    known: Collection[str] | None,
    provided: str | None,
) -> dict[str, tuple[RunView, RefitVerdict]]:
    """Every run that has to do with the trial, with its verdict, by ref."""
    relation = _Relation.of(trial_runs, rule, known)
    verdicts_by_run = ((run, relation.verdict(run, provided)) for run in refits)
    return {run.ref: (run, verdict) for run, verdict in verdicts_by_run if verdict is not None}


def _agree(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one == other


def _usable(run: RunView) -> bool:
    return run.lifecycle is Lifecycle.ACTIVE and run.status is RunStatus.FINISHED


def _provided(wanted: str, judged: dict[str, tuple[RunView, RefitVerdict]]) -> RunView:
    for run, verdict in judged.values():
        if wanted in (run.ref, run.run_id):
            if verdict in (RefitVerdict.LINK, RefitVerdict.KEY):
                return run
            raise RefitNotUsable(
                f"the given refit {wanted} does not stand for this trial: {verdict}",
                cure="give a FINISHED refit of this trial, or none and let the mapping find it",
                verdict=str(verdict),
            )
    raise RefitNotUsable(
        f"the given refit {wanted} has nothing to do with this trial, or is not in scope",
        cure="give a FINISHED refit of this trial, or none and let the mapping find it",
    )


def _warnings(trial: str, eligible: list[RunView], by_key: list[RunView]) -> tuple[SelectionWarning, ...]:
    found = [
        SelectionWarning(WarningCode.LINK_DANGLING, (run.ref,), "its link names no run; matched by its keys")
        for run in by_key
        if run.refit_of is not None
    ]
    protocols = {run.protocol_fp for run in eligible if run.protocol_fp is not None}
    if len(protocols) > 1:
        refs = tuple(sorted(run.ref for run in eligible))
        found.append(
            SelectionWarning(WarningCode.PROTOCOL_MIXED, (trial, *refs), f"{len(protocols)} protocols")
        )
    return tuple(sorted(found))
