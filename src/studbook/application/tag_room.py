"""Tags beyond the number that a backend takes for a run: kept together in one, whole again for whoever reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..domain.stored_run import StoredRun
from ..domain.vocabulary import MOST_TAGS, Vocabulary
from .more_texts import MORE_TAGS, more_texts, without


def fitted_tags(
    tags: Mapping[str, str], held: StoredRun, limit: int, vocabulary: Vocabulary
) -> dict[str, str]:
    """The tags to write to the run, which holds others already, with all that finds no room in one of them.

    Studbook's own always find room; users' tags and the backend's share the rest, whoever comes first.
    """
    before = more_texts(MORE_TAGS, held, vocabulary)
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
        key, text = vocabulary.write(MORE_TAGS, {**before, **moved})
        kept[key] = text
    return kept


def with_all_tags(run: StoredRun, vocabulary: Vocabulary) -> StoredRun:
    """The run with the tags that found no room among the others. Long values must have been joined before."""
    more = more_texts(MORE_TAGS, run, vocabulary)
    if not more:
        return run
    return replace(run, tags={**more, **without(MORE_TAGS, run.tags, vocabulary)})
