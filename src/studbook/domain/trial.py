"""What makes a trial, and a fold of it, the same."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from .keys import FoldKey, StudyKey, TrialKey


def trial_key(study: StudyKey, params: Mapping[str, JsonValue]) -> TrialKey:
    """The key of a point: the study and every parameter, as `SearchSpace.typed` gives them."""
    return TrialKey.of({"study": study, "params": dict(params)})


def fold_key(trial: TrialKey, index: int, digest: str | None) -> FoldKey:
    """The key of one split of a trial; `digest` is None only where the split is not known beforehand."""
    return FoldKey.of({"trial": trial, "index": index, "digest": digest})
