"""What a declared tag is."""

from __future__ import annotations

from dataclasses import dataclass

from .stage import Stage
from .tag_types import TagType


@dataclass(frozen=True, slots=True)
class Tag:
    """One declared tag: `name` in code, default `key` in a store.

    `required` are the stages whose runs carry it from their start event on; `stages` are those that may carry
    it. `aliases` are keys of legacy runs, read only.
    """

    name: str
    key: str
    type: TagType
    meaning: str
    stages: frozenset[Stage]
    required: frozenset[Stage]
    aliases: tuple[str, ...] = ()
