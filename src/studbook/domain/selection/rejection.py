"""Why a run cannot take part, and how many runs are left after each check."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from operator import attrgetter


class RejectionReason(StrEnum):
    """In the order of the checks: the first that fails gives the reason."""

    DELETED = "DELETED"
    NOT_FINISHED = "NOT_FINISHED"
    SCHEMA_UNKNOWN = "SCHEMA_UNKNOWN"
    SCHEMA_EXCLUDED = "SCHEMA_EXCLUDED"
    KEY_MISSING = "KEY_MISSING"
    FAMILY_UNKNOWN = "FAMILY_UNKNOWN"
    DIRECTION_UNKNOWN = "DIRECTION_UNKNOWN"
    DIRECTION_CONFLICT = "DIRECTION_CONFLICT"
    METRIC_MISSING = "METRIC_MISSING"
    METRIC_NOT_FINITE = "METRIC_NOT_FINITE"
    METRIC_OUT_OF_RANGE = "METRIC_OUT_OF_RANGE"
    DUPLICATE_TRIAL = "DUPLICATE_TRIAL"
    GROUP_TOO_SMALL = "GROUP_TOO_SMALL"
    REFIT_MISSING = "REFIT_MISSING"
    ARTIFACT_UNAVAILABLE = "ARTIFACT_UNAVAILABLE"
    ARTIFACT_UNKNOWN = "ARTIFACT_UNKNOWN"
    BENCHMARK_MISSING = "BENCHMARK_MISSING"
    BENCHMARK_OTHER_SUBJECT = "BENCHMARK_OTHER_SUBJECT"
    BENCHMARK_NOT_COMPARABLE = "BENCHMARK_NOT_COMPARABLE"
    DROPPED = "DROPPED"


@dataclass(frozen=True, slots=True)
class Rejection:
    """A run that does not take part, the reason, its detail, and the step that found it."""

    ref: str
    reason: RejectionReason
    detail: str = ""
    step: str = ""


def in_order(rejections: Iterable[Rejection]) -> list[Rejection]:
    """By reason, then ref: the declared order of lists of rejections."""
    found = list(rejections)
    # One stable sort a field: of very many, keys of all three cost more to make than to compare.
    for field in ("detail", "ref", "reason"):
        found.sort(key=attrgetter(field))
    return found


_R = RejectionReason
_LOST_BEFORE: dict[str, frozenset[RejectionReason]] = {
    "finished": frozenset({_R.DELETED, _R.NOT_FINISHED}),
    "keyed": frozenset({_R.SCHEMA_UNKNOWN, _R.SCHEMA_EXCLUDED, _R.KEY_MISSING, _R.FAMILY_UNKNOWN}),
    "metric": frozenset(
        {
            _R.DIRECTION_UNKNOWN,
            _R.DIRECTION_CONFLICT,
            _R.METRIC_MISSING,
            _R.METRIC_NOT_FINITE,
            _R.METRIC_OUT_OF_RANGE,
            _R.DUPLICATE_TRIAL,
            _R.GROUP_TOO_SMALL,
        }
    ),
    "refit": frozenset({_R.REFIT_MISSING}),
    "artifact": frozenset({_R.ARTIFACT_UNAVAILABLE, _R.ARTIFACT_UNKNOWN}),
    "benchmark": frozenset({_R.BENCHMARK_MISSING, _R.BENCHMARK_OTHER_SUBJECT}),
    "comparable": frozenset({_R.BENCHMARK_NOT_COMPARABLE}),
    "contenders": frozenset({_R.DROPPED}),
}


def funnel(read: int, lost: Mapping[RejectionReason, int]) -> dict[str, int]:
    """How many trials are left after each group of checks, from `read` to `contenders`."""
    counts = {"read": read}
    left = read
    for stage, reasons in _LOST_BEFORE.items():
        left -= sum(lost.get(reason, 0) for reason in reasons)
        counts[stage] = left
    return counts


def widest_gap(counts: Mapping[str, int]) -> str | None:
    """The funnel stage that lost most runs (the earliest of equals), or None when none was read."""
    stages = list(counts)
    losses = [(counts[before] - counts[stage], stage) for before, stage in pairwise(stages)]
    most = max((lost for lost, _ in losses), default=0)
    return next((stage for lost, stage in losses if lost == most), None) if most else None
