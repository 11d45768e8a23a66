"""What a benchmark ran on: the fields that must be equal for two latencies to be compared."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

import rfc8785

from ..run_view import RunView
from .sections import EnvironmentField

UNKNOWN = "unknown"

_BATCH = re.compile(r"_batch_(\d+)(_|$)")


def batch_sizes(metrics: Iterable[str]) -> str:
    """The batch sizes that the metric names speak of, ascending, joined by commas; else unknown."""
    sizes = {int(found[1]) for name in metrics if (found := _BATCH.search(name))}
    return ",".join(str(size) for size in sorted(sizes)) or UNKNOWN


def environment_of(
    run: RunView, comparable_on: Iterable[EnvironmentField], batch_size: str
) -> dict[str, str]:
    """The comparable fields of a benchmark run; a missing one is `unknown`."""
    fields: dict[str, str] = {}
    for field in comparable_on:
        if field is EnvironmentField.BATCH_SIZE:
            fields[field.value] = batch_size
        elif field is EnvironmentField.FAMILY:
            fields[field.value] = run.family or UNKNOWN
        elif field is EnvironmentField.DEVICE:
            fields[field.value] = run.environment.get("device") or _legacy_device(run)
        else:
            fields[field.value] = run.environment.get(field.value) or UNKNOWN
    return fields


def fingerprint(environment: Mapping[str, str]) -> str:
    """SHA-256 over the canonical JSON of the fields, 64 hex."""
    return hashlib.sha256(rfc8785.dumps(dict(environment))).hexdigest()


def _legacy_device(run: RunView) -> str:
    device = run.params.get("benchmark_device")
    return device if isinstance(device, str) and device not in ("", "auto") else UNKNOWN
