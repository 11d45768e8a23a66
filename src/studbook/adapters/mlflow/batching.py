"""A record of any size as requests that the backend takes."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ...domain.store_writes import MetricPoint, RecordBatch
from ...ports.capabilities import Capabilities
from ...ports.metric_points import identity

# MLflow's documented limit is 1,000,000 bytes a request; a metric row is its name and four short numbers.
_REQUEST_BYTES = 900_000
_ROW_BYTES = 120


def requests(batch: RecordBatch, capabilities: Capabilities) -> Iterator[RecordBatch]:
    """The batch as requests within the limits: params, metrics and tags in their order, each point once.

    NaN points come last, in requests of their own: MLflow 3.15 refuses a request that repeats a stored one,
    and such a refusal must hold up nothing else.
    """
    numbers, nans = _points(batch.metrics)
    yield from _packed(RecordBatch(batch.params, numbers, batch.tags), capabilities)
    yield from _packed(RecordBatch(metrics=nans), capabilities)


def _points(points: tuple[MetricPoint, ...]) -> tuple[tuple[MetricPoint, ...], tuple[MetricPoint, ...]]:
    numbers: list[MetricPoint] = []
    nans: list[MetricPoint] = []
    for (*_, nan, value), point in {identity(point): point for point in points}.items():
        if nan:
            nans.append(point)
        else:
            numbers.append(point if point.value == value else point._replace(value=value))
    return tuple(numbers), tuple(nans)


def _packed(batch: RecordBatch, capabilities: Capabilities) -> Iterator[RecordBatch]:
    request = _Request(capabilities)
    for key, value in batch.params.items():
        size = _text_bytes(key, value)
        if not request.takes(len(request.params), capabilities.params_per_batch, size):
            yield request.sealed()
            request = _Request(capabilities)
        request.params[key] = value
        request.size += size
    for point in batch.metrics:
        size = len(point.name) + _ROW_BYTES
        if not request.takes(len(request.metrics), capabilities.metrics_per_batch, size):
            yield request.sealed()
            request = _Request(capabilities)
        request.metrics.append(point)
        request.size += size
    for key, value in batch.tags.items():
        size = _text_bytes(key, value)
        if not request.takes(len(request.tags), capabilities.tags_per_batch, size):
            yield request.sealed()
            request = _Request(capabilities)
        request.tags[key] = value
        request.size += size
    if last := request.sealed():
        yield last


class _Request:
    def __init__(self, capabilities: Capabilities) -> None:
        self.params: dict[str, str] = {}
        self.metrics: list[MetricPoint] = []
        self.tags: dict[str, str] = {}
        self.size = 0
        self._items = capabilities.items_per_batch

    def takes(self, held: int, limit: int, size: int) -> bool:
        items = len(self.params) + len(self.metrics) + len(self.tags)
        return items == 0 or (held < limit and items < self._items and self.size + size <= _REQUEST_BYTES)

    def sealed(self) -> RecordBatch:
        return RecordBatch(self.params, tuple(self.metrics), self.tags)


def _text_bytes(key: str, value: str) -> int:
    return len(json.dumps(key)) + len(json.dumps(value)) + _ROW_BYTES
