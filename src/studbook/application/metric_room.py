"""Metrics beyond the number of names that a backend takes for a run: their points become files of the run, and a tag
holds the last value of each.

The points of one write are one file, together with the files before it that hold no more points: so that there are few
to read, and each point is written seldom.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from ..domain.errors import MalformedRun
from ..domain.store_writes import MetricPoint, RecordBatch
from ..domain.stored_run import StoredRun
from ..domain.vocabulary import Vocabulary
from ..ports.artifact_store import ArtifactStore
from ..ports.metric_points import history_order, identity, latest
from ..ports.run_source import FileSource
from .more_texts import without
from .spill import fetch_spilled, put_spilled

MORE_METRICS = "run.more_metrics"

_Row = tuple[str, str, int, int]  # as in MetricPoint; the value as text, because JSON has no NaN
_ROWS: TypeAdapter[list[_Row]] = TypeAdapter(list[_Row])


class _More(BaseModel):
    """What the tag holds: the last row of each metric, and the digest and number of rows of each file."""

    model_config = ConfigDict(extra="forbid")

    last: tuple[_Row, ...] = ()
    files: tuple[tuple[str, int], ...] = ()


_NO_MORE = _More()


def fitted_metrics(
    batch: RecordBatch, held: StoredRun, limit: int, vocabulary: Vocabulary, artifacts: ArtifactStore
) -> RecordBatch:
    """The batch to write to the run, which holds others already; points that find no room are stored as a file.

    The run's objectives find room first, also those that have no value yet; the others in their order.
    """
    more = _more(held, vocabulary)
    beyond = _beyond(batch, held, limit, {name for name, *_ in more.last}, _objectives(held, vocabulary))
    moved = [point for point in batch.metrics if point.name in beyond]
    if not moved:
        return batch
    last = {point.name: point for point in map(_point, more.last)}
    for point in moved:
        last[point.name] = latest((point, last.get(point.name, point)))
    files = _with_file(more.files, moved, held, artifacts)
    told = _More(last=[_row(last[name]) for name in sorted(last)], files=files)
    kept = tuple(point for point in batch.metrics if point.name not in beyond)
    tag = vocabulary.write(MORE_METRICS, told.model_dump(mode="json"))
    return replace(batch, metrics=kept, tags={**batch.tags, **dict([tag])})


def with_all_metrics(run: StoredRun, vocabulary: Vocabulary) -> StoredRun:
    """The run with the metrics that found no room among the others. Long values must have been joined before."""
    more = _more(run, vocabulary)
    if not more.last:
        return run
    last = {point.name: point.value for point in map(_point, more.last)}
    return replace(run, tags=without(MORE_METRICS, run.tags, vocabulary), metrics={**last, **run.metrics})


def more_histories(
    run: StoredRun, vocabulary: Vocabulary, files: FileSource
) -> Mapping[str, tuple[MetricPoint, ...]]:
    """All points of the metrics that found no room, in the order of a history. Long values must have been joined
    before. Raises SpillMissing.
    """
    points: dict[tuple[object, ...], MetricPoint] = {}
    for digest, _ in _more(run, vocabulary).files:
        points.update((identity(point), point) for point in _read(digest, run, files))
    found: dict[str, list[MetricPoint]] = {}
    for point in sorted(points.values(), key=history_order):
        found.setdefault(point.name, []).append(point)
    return {name: tuple(history) for name, history in found.items()}


def _beyond(
    batch: RecordBatch, held: StoredRun, limit: int, moved: set[str], objectives: frozenset[str]
) -> set[str]:
    """The names of the batch that find no room: those of which others are in files already, and what is too many."""
    names = dict.fromkeys(point.name for point in batch.metrics)
    beyond = {name for name in names if name in moved}
    new = [name for name in names if name not in held.metrics and name not in moved]
    room = limit - len(held.metrics)
    awaited = len(objectives - held.metrics.keys() - moved - set(new))
    for name in sorted(new, key=lambda name: name not in objectives):
        if room > (0 if name in objectives else awaited):
            room -= 1
        else:
            beyond.add(name)
    return beyond


def _objectives(run: StoredRun, vocabulary: Vocabulary) -> frozenset[str]:
    found = vocabulary.read("study.objectives", run.tags, run=run.run_id)
    pairs = found if isinstance(found, list) else []
    return frozenset(str(pair[0]) for pair in pairs if isinstance(pair, list) and pair)


def _with_file(
    files: Iterable[tuple[str, int]], moved: Iterable[MetricPoint], run: StoredRun, artifacts: ArtifactStore
) -> list[tuple[str, int]]:
    kept = list(files)
    points = {identity(point): point for point in moved}
    while kept and kept[-1][1] <= len(points):
        digest, _ = kept.pop()
        points = {identity(point): point for point in _read(digest, run, artifacts)} | points
    content = json.dumps([_row(point) for point in points.values()], separators=(",", ":")).encode()
    return [*kept, (put_spilled(run.run_id, content, artifacts), len(points))]


def _read(digest: str, run: StoredRun, files: FileSource) -> Iterator[MetricPoint]:
    return map(_point, _ROWS.validate_json(fetch_spilled(run, MORE_METRICS, digest, files)))


def _more(run: StoredRun, vocabulary: Vocabulary) -> _More:
    found = vocabulary.read(MORE_METRICS, run.tags, run=run.run_id)
    try:
        return _NO_MORE if found is None else _More.model_validate(found)
    except ValidationError as error:
        raise MalformedRun(
            f"run {run.run_id}: tag {vocabulary.key(MORE_METRICS)!r} tells of no metrics",
            cure="correct the tag in the store, or delete it",
            run=run.run_id,
            tag=vocabulary.key(MORE_METRICS),
        ) from error


def _row(point: MetricPoint) -> _Row:
    return point.name, repr(float(point.value)), point.timestamp_ms, point.step


def _point(row: _Row) -> MetricPoint:
    name, value, timestamp_ms, step = row
    return MetricPoint(name, float(value), timestamp_ms, step)
