"""The points of a grid in an order of their own.

Optuna's GridSampler finds a point by the trial's number; numbers shift when a lost storage is made again from
the records. Here a point is new if no trial has its params.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from random import Random
from typing import Any


class GridOrder:
    """All points, shuffled, so that a search that ends early has seen all regions. One seed is one order."""

    def __init__(self, values: Mapping[str, list[Any]], seed: int) -> None:
        self._names = tuple(values)
        self._points = list(product(*values.values()))
        Random(seed).shuffle(self._points)  # noqa: S311 no secret
        self._next = 0

    def untried(self, trials: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
        """The first point that is none of these params; None when there is no other."""
        tried = {
            tuple(params[name] for name in self._names)
            for params in trials
            if all(name in params for name in self._names)
        }
        while self._next < len(self._points) and self._points[self._next] in tried:
            self._next += 1
        if self._next == len(self._points):
            return None
        return dict(zip(self._names, self._points[self._next], strict=True))
