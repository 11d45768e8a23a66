"""Why an older record no longer says what the runs say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .inputs import Inputs, sha256
from .result import Winner


class StaleReason(StrEnum):
    """What changed since the record."""

    POLICY_CHANGED = "POLICY_CHANGED"
    SCOPE_CHANGED = "SCOPE_CHANGED"
    RULES_CHANGED = "RULES_CHANGED"
    CANDIDATES_ADDED = "CANDIDATES_ADDED"
    CANDIDATES_REMOVED = "CANDIDATES_REMOVED"
    VALUES_CHANGED = "VALUES_CHANGED"
    CITED_RUN_GONE = "CITED_RUN_GONE"
    RECORD_CORRUPT = "RECORD_CORRUPT"


@dataclass(frozen=True, slots=True)
class Drift:
    """One field of one run that the store now holds otherwise; None where one side has nothing."""

    ref: str
    field: str
    recorded: object
    current: object


def stale_reasons(
    recorded: bytes, recorded_digest: str, current: Inputs, winner: Winner | None = None
) -> tuple[StaleReason, ...]:
    """Why the recorded `inputs.json` is not the current one, in the order of the codes; empty: it is fresh.

    `winner` is the recorded winner: its runs must still take part.
    """
    document = _parsed(recorded, recorded_digest)
    if document is None:
        return (StaleReason.RECORD_CORRUPT,)
    now = json.loads(current.to_bytes())
    before, after = _by_ref(document), _by_ref(now)
    found = {
        StaleReason.POLICY_CHANGED: document["policy"] != now["policy"],
        StaleReason.SCOPE_CHANGED: document["scope"] != now["scope"],
        StaleReason.RULES_CHANGED: document["rules"] != now["rules"],
        StaleReason.CANDIDATES_ADDED: bool(after.keys() - before.keys()),
        StaleReason.CANDIDATES_REMOVED: bool(before.keys() - after.keys()),
        StaleReason.VALUES_CHANGED: any(before[ref] != after[ref] for ref in before.keys() & after.keys())
        or (before.keys() == after.keys() and document["candidate_set"] != now["candidate_set"]),
        StaleReason.CITED_RUN_GONE: winner is not None and not _cited(winner) <= after.keys(),
    }
    return tuple(reason for reason, holds in found.items() if holds)


def drift(recorded: Inputs, current: Inputs) -> tuple[Drift, ...]:
    """Field by field, what the runs of a record hold now, by ref and field."""
    before, after = _by_ref(json.loads(recorded.to_bytes())), _by_ref(json.loads(current.to_bytes()))
    found: list[Drift] = []
    for ref in sorted(before):
        if ref not in after:
            found.append(Drift(ref, "", before[ref], None))
            continue
        for name in sorted(before[ref].keys() | after[ref].keys()):
            then, now = before[ref].get(name), after[ref].get(name)
            if then != now:
                found.append(Drift(ref, name, then, now))
    return tuple(found)


def _parsed(content: bytes, digest: str) -> dict[str, Any] | None:
    if sha256(content) != digest:
        return None
    try:
        document = json.loads(content)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _by_ref(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {run["ref"]: run for run in document["runs"]}


def _cited(winner: Winner) -> set[str]:
    return {ref for ref in (winner.trial, winner.refit, winner.artifact_run) if ref}
