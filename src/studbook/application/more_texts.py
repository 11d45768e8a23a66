"""Texts by name that a run holds together in one tag, because it has no room for each of them."""

from __future__ import annotations

from collections.abc import Mapping

from ..domain.errors import MalformedRun
from ..domain.stored_run import StoredRun
from ..domain.vocabulary import Vocabulary

MORE_TAGS = "run.more_tags"
MORE_PARAMS = "run.more_params"


def more_texts(name: str, run: StoredRun, vocabulary: Vocabulary) -> dict[str, str]:
    """What the run holds in the tag of this name. Long values must have been joined before. Raises MalformedRun."""
    found = vocabulary.read(name, run.tags, run=run.run_id)
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise MalformedRun(
            f"run {run.run_id}: tag {vocabulary.key(name)!r} is no mapping of texts",
            cure="correct the tag in the store, or delete it",
            run=run.run_id,
            tag=vocabulary.key(name),
        )
    return dict(found)


def without(name: str, tags: Mapping[str, str], vocabulary: Vocabulary) -> dict[str, str]:
    """The tags but the one of this name, which says nothing to who has read it."""
    keys = vocabulary.read_keys(name)
    return {key: text for key, text in tags.items() if key not in keys}
