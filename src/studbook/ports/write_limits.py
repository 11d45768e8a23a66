"""A write against a backend's declared limits: over one of them it is refused whole, and never cut."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from ..domain.errors import TrackingRefused
from ..domain.store_writes import RecordBatch
from .capabilities import Capabilities


def refuse_over_limits(capabilities: Capabilities, batch: RecordBatch) -> None:
    """Raise TrackingRefused when a key or value is longer than the backend can hold, or a key is empty."""
    _check_keys("param", batch.params, capabilities.param_name_length)
    _check_keys("tag", batch.tags, capabilities.tag_key_length)
    _check_keys("metric", {point.name for point in batch.metrics}, capabilities.metric_name_length)
    _check_values("param", batch.params.items(), capabilities.param_value_length)
    _check_values("tag", batch.tags.items(), capabilities.tag_value_length)


def takes_experiment_name(capabilities: Capabilities, name: str) -> bool:
    """Whether the backend could find an experiment by this name."""
    allowed = capabilities.experiment_names
    return allowed is None or re.fullmatch(allowed, name) is not None


def refuse_experiment_name(capabilities: Capabilities, name: str) -> None:
    """Raise TrackingRefused for a name that the backend could not find an experiment by."""
    if not takes_experiment_name(capabilities, name):
        raise TrackingRefused(
            f"the backend has no experiments of names like {name!r:.100}",
            cure=f"choose a name that matches {capabilities.experiment_names}",
            experiment=name,
        )


def refuse_over_count(kind: str, keys: Collection[str], limit: int | None) -> None:
    """Raise TrackingRefused when a run would hold more metrics, params or tags than the backend allows."""
    if limit is not None and len(keys) > limit:
        raise TrackingRefused(
            f"the run would hold {len(keys)} {kind}s, and the backend takes {limit}",
            cure=f"keep the {kind}s in an artifact",
            kind=kind,
            limit=limit,
        )


def _check_keys(kind: str, keys: Iterable[str], limit: int) -> None:
    for key in keys:
        if not 0 < len(key) <= limit:
            raise TrackingRefused(
                f"a {kind} key has {len(key)} characters: {key[:40]!r}",
                cure=f"use 1 to {limit} characters",
                kind=kind,
            )


def _check_values(kind: str, items: Iterable[tuple[str, str]], limit: int) -> None:
    for key, value in items:
        if len(value) > limit:
            raise TrackingRefused(
                f"the value of {kind} {key!r} has {len(value)} characters, and the backend takes {limit}",
                cure="spill the value to an artifact and record its digest",
                kind=kind,
                key=key,
                limit=limit,
            )
