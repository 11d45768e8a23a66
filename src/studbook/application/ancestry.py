"""Which ancestors a new run has: facts of the run that its input comes from, nothing looked up by name."""

from __future__ import annotations

from typing import Literal, TypeVar

from ..domain.keys import Key, RunKey, StudyFamilyKey, StudyKey, TrialKey
from ..domain.product_events import Lineage
from ..domain.run_view import RunView
from ..domain.stage import Stage

K = TypeVar("K", bound=Key)

_LINEAGE_FIELDS = ("sweep", "trial", "refit", "selection")


def lineage_of(subject: RunView | None, selection: str | None = None) -> Lineage:
    """The lineage of a run whose input is `subject`'s files, chosen by the run `selection`."""
    if subject is None:
        return Lineage(source="scratch")
    ancestors = {name: subject.lineage.get(name) for name in _LINEAGE_FIELDS}
    if subject.stage is Stage.REFIT:
        ancestors |= {"refit": subject.ref, "trial": subject.refit_of, "sweep": subject.parent}
    elif subject.stage is Stage.TRIAL:
        ancestors |= {"trial": subject.ref, "sweep": subject.parent}
    if selection is not None:
        ancestors["selection"] = selection
    return Lineage(
        source=_source(subject, selection),
        model_family=subject.family,
        study_key=_key(StudyKey, subject.study_key),
        family_key=_key(StudyFamilyKey, subject.family_key),
        trial_key=_key(TrialKey, subject.trial_key),
        sweep=_key(RunKey, ancestors["sweep"]),
        trial=_key(RunKey, ancestors["trial"]),
        refit=_key(RunKey, ancestors["refit"]),
        selection=_key(RunKey, ancestors["selection"]),
        parent=_key(RunKey, subject.ref),
    )


def _source(
    subject: RunView, selection: str | None
) -> Literal["selection", "refit", "final_training", "external"]:
    if selection is not None:
        return "selection"
    if subject.stage in (Stage.REFIT, Stage.TRIAL):
        return "refit"
    return "final_training" if subject.stage is Stage.FINAL_TRAINING else "external"


def _key(kind: type[K], text: str | None) -> K | None:
    """The key, if the text is one of ours: a legacy text is no key."""
    return kind(text) if text is not None and text.startswith(f"{kind.KIND}:") else None
