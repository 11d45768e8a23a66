"""Replay: the same bytes again, from nothing but the record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ..errors import NoCandidate, ReplayMismatch, SelectionError, SelectionRecordCorrupt
from .decide import decide
from .inputs import RULES, Inputs, sha256
from .result import SelectionResult


class ReplayVerdict(StrEnum):
    """Whether the record says what its inputs say."""

    IDENTICAL = "IDENTICAL"
    DIFFERENT = "DIFFERENT"
    RULES_UNKNOWN = "RULES_UNKNOWN"


@dataclass(frozen=True, slots=True)
class Difference:
    """One place (a JSON pointer) where record and recomputation differ; None where one has nothing."""

    pointer: str
    recorded: object
    recomputed: object


@dataclass(frozen=True, slots=True)
class Replay:
    """The verdict, the differences, and the recomputed result (None when the rules are unknown)."""

    verdict: ReplayVerdict
    differences: tuple[Difference, ...] = ()
    result: SelectionResult | None = None

    def require_identical(self) -> SelectionResult:
        """The result; raises ReplayMismatch unless it is the record, byte for byte."""
        if self.verdict is ReplayVerdict.IDENTICAL and self.result is not None:
            return self.result
        places = ", ".join(difference.pointer for difference in self.differences[:3])
        raise ReplayMismatch(
            f"replaying the selection gives {self.verdict}" + (f" at {places}" if places else ""),
            cure="select again",
            verdict=str(self.verdict),
            pointers=[difference.pointer for difference in self.differences],
        )


def replay(body: bytes, inputs: bytes) -> Replay:
    """Recompute a recorded body from its `inputs.json` and compare the bytes.

    Raises SelectionRecordCorrupt when either does not parse, or the inputs do not have the recorded digest.
    """
    try:
        recorded = json.loads(body)
        digest, rules = recorded["inputs_digest"], recorded["rules"]
    except (ValueError, KeyError, TypeError) as error:
        raise SelectionRecordCorrupt(
            "the selection's selection.json does not parse", cure="select again"
        ) from error
    if sha256(inputs) != digest:
        raise SelectionRecordCorrupt(
            "inputs.json does not have the digest that selection.json records",
            cure="select again",
            expected=digest,
        )
    if rules != RULES:
        return Replay(ReplayVerdict.RULES_UNKNOWN)
    try:
        result = decide(Inputs.from_bytes(inputs))
    except NoCandidate as error:
        return Replay(
            ReplayVerdict.DIFFERENT, (Difference("/winner", recorded.get("winner"), error.problem),)
        )
    except SelectionRecordCorrupt:
        raise
    except SelectionError as error:
        return Replay(ReplayVerdict.DIFFERENT, (Difference("", None, error.problem),))
    if result.body() == body:
        return Replay(ReplayVerdict.IDENTICAL, (), result)
    differences = tuple(_differences(recorded, json.loads(result.body()), ""))
    return Replay(ReplayVerdict.DIFFERENT, differences, result)


def _differences(recorded: Any, recomputed: Any, pointer: str) -> Iterator[Difference]:
    if isinstance(recorded, dict) and isinstance(recomputed, dict):
        for key in sorted(recorded.keys() | recomputed.keys()):
            escaped = key.replace("~", "~0").replace("/", "~1")
            yield from _differences(recorded.get(key), recomputed.get(key), f"{pointer}/{escaped}")
    elif isinstance(recorded, list) and isinstance(recomputed, list):
        for index in range(max(len(recorded), len(recomputed))):
            pair = [side[index] if index < len(side) else None for side in (recorded, recomputed)]
            yield from _differences(pair[0], pair[1], f"{pointer}/{index}")
    elif recorded != recomputed:
        yield Difference(pointer, recorded, recomputed)
