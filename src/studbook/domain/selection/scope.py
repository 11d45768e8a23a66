"""Which runs are in scope, and which legacy experiments belong to a project."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import KeyAmbiguous, PolicyInvalid
from ..key_reference import KeyReference
from ..keys import StudyKey
from ..run_view import RunView
from ..stage import Stage
from .candidate import UNKNOWN_FAMILY
from .sections import ScopeConfig
from .warning import SelectionWarning, WarningCode

NATIVE = "azureml:"
"""How the keys of a service's own sweeps begin: they are named in full."""


def out_of_scope(run: RunView, scope: ScopeConfig) -> str | None:
    """The scope key that excludes a run, or None. Refits and benchmarks: only by what they record."""
    trial = run.stage is Stage.TRIAL
    if (trial or run.study_key) and not _in_studies(run, scope):
        return "scope.studies"
    if (trial or run.family) and scope.families and (run.family or UNKNOWN_FAMILY) not in scope.families:
        return "scope.families"
    if trial and scope.since_ms is not None and run.started_at < scope.since_ms:
        return "scope.since"
    return None


def check_prefixes(scope: ScopeConfig, study_keys: Iterable[str]) -> None:
    """Raises PolicyInvalid when a prefix in `scope.studies` names several studies."""
    keys = set(study_keys)
    for study in scope.studies:
        if study.startswith(NATIVE):
            continue
        try:
            KeyReference.parse(study, StudyKey).only(keys)
        except KeyAmbiguous as error:
            matches = error.details["matches"]
            assert isinstance(matches, tuple)  # noqa: S101 - as the error is documented
            raise PolicyInvalid(
                f"selection.scope.studies: {study!r} begins the keys of {len(matches)} studies",
                cure=f"write more digits; the studies are {', '.join(matches)}",
                key="selection.scope.studies",
            ) from error


def legacy_experiments(
    project: str, existing: Iterable[str], listed: Iterable[str] = ()
) -> tuple[tuple[str, ...], tuple[SelectionWarning, ...]]:
    """The experiments `<project>-hpo-<family>`, sorted; those whose family holds `-hpo-` only if listed."""
    prefix, wanted = f"{project}-hpo-", frozenset(listed)
    found: list[str] = []
    warnings: list[SelectionWarning] = []
    for name in sorted(set(existing)):
        family = name.removeprefix(prefix)
        if family == name or not family:
            continue
        if name.count("-hpo-") > 1 and name not in wanted:
            detail = "several ways to split it into project and family: list it in scope.experiments"
            warnings.append(SelectionWarning(WarningCode.EXPERIMENT_AMBIGUOUS, (name,), detail))
        else:
            found.append(name)
    return tuple(found), tuple(warnings)


def _in_studies(run: RunView, scope: ScopeConfig) -> bool:
    return not scope.studies or any(_names(study, run.study_key) for study in scope.studies)


def _names(study: str, key: str | None) -> bool:
    return key == study or (not study.startswith(NATIVE) and KeyReference.parse(study, StudyKey).names(key))
