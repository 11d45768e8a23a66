"""Tags beyond the number that a backend takes for a run: kept together in one, whole again for whoever reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..domain.errors import MalformedRun
from ..domain.stored_run import StoredRun
from ..domain.vocabulary import MOST_TAGS, Vocabulary

_NAME = "run.more_tags"


def fitted(tags: Mapping[str, str], held: StoredRun, limit: int, vocabulary: Vocabulary) -> dict[str, str]:
    """The tags to write to the run, which holds others already, with all that finds no room in one of them.

    Studbook's own always find room; users' tags and the backend's share the rest, whoever comes first.
    """
    before = _more(held, vocabulary)
    room = limit - MOST_TAGS - sum(not vocabulary.declares(key) for key in held.tags)
    kept: dict[str, str] = {}
    moved: dict[str, str] = {}
    for key, text in tags.items():
        if key in held.tags or vocabulary.is_reserved(key):
            kept[key] = text
        elif key in before or room <= 0:
            moved[key] = text
        else:
            kept[key] = text
            room -= 1
    if moved:
        key, text = vocabulary.write(_NAME, {**before, **moved})
        kept[key] = text
    return kept


def with_all_tags(run: StoredRun, vocabulary: Vocabulary) -> StoredRun:
    """The run with the tags that found no room among the others. Long values must have been joined before."""
    more = _more(run, vocabulary)
    if not more:
        return run
    written = vocabulary.read_keys(_NAME)
    return replace(run, tags={**more, **{key: text for key, text in run.tags.items() if key not in written}})


def _more(run: StoredRun, vocabulary: Vocabulary) -> dict[str, str]:
    found = vocabulary.read(_NAME, run.tags, run=run.run_id)
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise MalformedRun(
            f"run {run.run_id}: tag {vocabulary.key(_NAME)!r} is no mapping of tags",
            cure="correct the tag in the store, or delete it",
            run=run.run_id,
            tag=vocabulary.key(_NAME),
        )
    return dict(found)
