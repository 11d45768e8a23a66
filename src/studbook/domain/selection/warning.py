"""What a decision wants its reader to know, without being wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class WarningCode(StrEnum):
    """The closed set of warnings a decision can carry."""

    ARTIFACT_UNKNOWN = "ARTIFACT_UNKNOWN"
    ENVIRONMENT_UNKNOWN = "ENVIRONMENT_UNKNOWN"
    EXPERIMENT_AMBIGUOUS = "EXPERIMENT_AMBIGUOUS"
    FAMILY_CONFLICT = "FAMILY_CONFLICT"
    IRRELEVANT_ALTERNATIVE = "IRRELEVANT_ALTERNATIVE"
    LINK_DANGLING = "LINK_DANGLING"
    MIN_GAIN_INERT = "MIN_GAIN_INERT"
    NARROW_RANGE = "NARROW_RANGE"
    OUT_OF_BOUNDS = "OUT_OF_BOUNDS"
    PROTOCOL_MIXED = "PROTOCOL_MIXED"
    SCHEMA_ASSUMED = "SCHEMA_ASSUMED"
    SERVICE_BEST_DIFFERS = "SERVICE_BEST_DIFFERS"
    STUDY_OPEN = "STUDY_OPEN"
    SUBJECT_ASSUMED = "SUBJECT_ASSUMED"
    TOP_K_CLAMPED = "TOP_K_CLAMPED"
    TRIAL_FALLBACK = "TRIAL_FALLBACK"
    WITHIN_NOISE = "WITHIN_NOISE"


@dataclass(frozen=True, slots=True, order=True)
class SelectionWarning:
    """A code, the refs it is about (sorted) and one line of detail."""

    code: WarningCode
    refs: tuple[str, ...]
    detail: str = ""


def merge_warnings(warnings: Iterable[SelectionWarning]) -> tuple[SelectionWarning, ...]:
    """One warning for each code and detail, with the refs of all; sorted."""
    refs: dict[tuple[WarningCode, str], set[str]] = {}
    for warning in warnings:
        refs.setdefault((warning.code, warning.detail), set()).update(warning.refs)
    return tuple(
        sorted(SelectionWarning(code, tuple(sorted(named)), detail) for (code, detail), named in refs.items())
    )
