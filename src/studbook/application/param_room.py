"""Params beyond the number that a backend takes for a run: kept together in a tag, whole again for whoever reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..domain.stored_run import StoredRun
from ..domain.vocabulary import Vocabulary
from .more_texts import MORE_PARAMS, more_texts, without


@dataclass(frozen=True, slots=True)
class FittedParams:
    """`params` and `tags` are what is to be written; the run holds other values for `conflicts`."""

    params: dict[str, str]
    tags: dict[str, str]
    conflicts: tuple[str, ...]


def fitted_params(
    params: Mapping[str, str], held: StoredRun, limit: int, vocabulary: Vocabulary
) -> FittedParams:
    """The params to write to the run, which holds others already, with all that finds no room in one tag.

    Those that come first find room.
    """
    before = more_texts(MORE_PARAMS, held, vocabulary)
    room = limit - len(held.params)
    kept: dict[str, str] = {}
    moved: dict[str, str] = {}
    for name, text in params.items():
        if name in held.params:
            kept[name] = text
        elif name in before:
            continue
        elif room > 0:
            kept[name] = text
            room -= 1
        else:
            moved[name] = text
    conflicts = tuple(sorted(name for name, text in params.items() if before.get(name, text) != text))
    tags = dict([vocabulary.write(MORE_PARAMS, {**before, **moved})]) if moved else {}
    return FittedParams(kept, tags, conflicts)


def with_all_params(run: StoredRun, vocabulary: Vocabulary) -> StoredRun:
    """The run with the params that found no room among the others. Long values must have been joined before."""
    more = more_texts(MORE_PARAMS, run, vocabulary)
    if not more:
        return run
    return replace(run, tags=without(MORE_PARAMS, run.tags, vocabulary), params={**more, **run.params})
