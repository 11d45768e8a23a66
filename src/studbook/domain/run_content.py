"""What a run holds, in a form that is the same in every store: to tell whether a copy is one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass

from .store_writes import MetricPoint

_LINKS = frozenset({"mlflow.parentRunId", "mlflow.rootRunId", "mlflow.runName"})
_SERVICE = "azureml."


@dataclass(frozen=True, slots=True)
class RunContent:
    """One run, without anything that a store says of it in its own way. Times are UTC milliseconds.

    `parent` is the parent's id at the source. `metrics` are digests of whole histories by name, `files` SHA-256
    digests by path.
    """

    name: str
    status: str
    lifecycle: str
    started_at_ms: int
    ended_at_ms: int | None
    parent: str | None
    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, str]
    files: dict[str, str]

    @property
    def digest(self) -> str:
        """`sha256:<hex>`: equal for equal content."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"

    def differences(self, copy: RunContent) -> tuple[str, ...]:
        """What is otherwise in the copy, one line each; empty when nothing is."""
        return tuple(self._lines(copy))

    def _lines(self, copy: RunContent) -> Iterator[str]:
        ours, theirs = asdict(self), asdict(copy)
        for field, value in ours.items():
            if isinstance(value, dict):
                yield from _unlike(field.removesuffix("s"), value, theirs[field])
            elif value != theirs[field]:
                yield f"{field} is {_short(theirs[field])}, at the source {_short(value)}"


def is_link(tag: str) -> bool:
    """Whether a store writes the tag itself, from a run's parent and name: a copy gets its own."""
    return tag in _LINKS


def is_backends_own(tag: str) -> bool:
    """Whether a store may write the tag by itself, so that it says nothing about a copy."""
    return is_link(tag) or tag.startswith(_SERVICE)


def series_digest(points: Iterable[MetricPoint]) -> str:
    """Digest of a history in its declared order; with the number of points, for people."""
    digest, count = hashlib.sha256(), 0
    for point in points:
        digest.update(f"{point.step} {point.timestamp_ms} {float(point.value).hex()}\n".encode())
        count += 1
    return f"{count} points, {digest.hexdigest()[:32]}"


def _unlike(what: str, ours: Mapping[str, str], theirs: Mapping[str, str]) -> Iterator[str]:
    for key in sorted(ours.keys() | theirs.keys()):
        if key not in theirs:
            yield f"{what} {key!r} is missing"
        elif key not in ours:
            yield f"{what} {key!r} is not at the source"
        elif ours[key] != theirs[key]:
            yield f"{what} {key!r} is {_short(theirs[key])}, at the source {_short(ours[key])}"


def _short(value: object) -> str:
    return f"{value!r:.60}"
