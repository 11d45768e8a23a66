"""Which parts of a run a question needs: what is not needed is not fetched."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunFields:
    """`tags` are names of the vocabulary, `params` their own names. Metrics all come."""

    tags: frozenset[str]
    params: frozenset[str]
