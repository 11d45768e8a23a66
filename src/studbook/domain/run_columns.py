"""What can be shown of a run, column by column, and how runs are sorted by one. All pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import total_ordering

from .errors import InvalidInput
from .run_view import RunView

Cell = str | int | float | datetime | None


def _time(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)


_ATTRIBUTES: dict[str, Callable[[RunView], Cell]] = {
    "ref": lambda run: run.ref,
    "run_id": lambda run: run.run_id,
    "stage": lambda run: run.stage,
    "status": lambda run: run.status,
    "name": lambda run: run.name,
    "experiment": lambda run: run.experiment,
    "family": lambda run: run.family,
    "study_key": lambda run: run.study_key,
    "trial_key": lambda run: run.trial_key,
    "trial_number": lambda run: run.trial_number,
    "attempt": lambda run: run.attempt,
    "parent": lambda run: run.parent,
    "started_at": lambda run: _time(run.started_at),
    "ended_at": lambda run: _time(run.ended_at),
    "duration_s": lambda run: None if run.ended_at is None else (run.ended_at - run.started_at) / 1000,
    "lifecycle": lambda run: run.lifecycle,
    "end_reason": lambda run: run.end_reason,
    "error": lambda run: run.error,
}
URL = "url"
ATTRIBUTES = tuple(_ATTRIBUTES)
"""The columns that every run has, in the order that a file shows them in."""

_FIELDS: dict[str, Callable[[RunView, str], object]] = {
    "params": lambda run, name: run.params.get(name),
    "metrics": lambda run, name: run.metrics.get(name),
    "tags": lambda run, name: run.tags.get(name),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: an attribute, `url`, or one param, metric or tag by its name."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Column:
        """From `status`, `params.lr`, `metrics.macro_f1`, `tags.team` or `url`. Raises InvalidInput."""
        kind, dot, name = text.partition(".")
        if text in _ATTRIBUTES or text == URL or (kind in _FIELDS and dot and name):
            return cls(text)
        near = get_close_matches(text, [*ATTRIBUTES, URL], n=1)
        raise InvalidInput(
            f"there is no column {text!r:.100}",
            cure=f"did you mean {near[0]}?"
            if near
            else f"use params.<name>, metrics.<name>, tags.<name>, {URL}, or one of: {', '.join(ATTRIBUTES)}",
            column=text,
        )

    def of(self, run: RunView) -> Cell:
        """The run's value; None where it has none."""
        if self.text == URL:
            return run.url
        if self.text in _ATTRIBUTES:
            return _ATTRIBUTES[self.text](run)
        kind, _, name = self.text.partition(".")
        value = _FIELDS[kind](run, name)
        return value if value is None or isinstance(value, str | int | float) else str(value)

    def sort_key(self, run: RunView, *, descending: bool = False) -> tuple[object, ...]:
        """Sorts runs by this column, in a total order: what is missing or NaN comes last, either way.

        Numbers, and params that read as numbers, come before text; ties by start time and run id.
        """
        tie = (run.started_at, run.run_id)
        value = _comparable(self.of(run), numeric_text=self.text.startswith("params."))
        if value is None:
            return (True, 0, 0, *tie)
        is_text = isinstance(value, str)
        return (False, is_text != descending, _Descending(value) if descending else value, *tie)


@total_ordering
@dataclass(frozen=True, slots=True)
class _Descending:
    value: str | float

    def __lt__(self, other: _Descending) -> bool:
        return bool(self.value > other.value)  # type: ignore[operator]  # only ever of one type


def _comparable(value: Cell, *, numeric_text: bool) -> str | float | None:
    if isinstance(value, datetime):
        return value.timestamp()
    if numeric_text and isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return value
    return None if isinstance(value, float) and math.isnan(value) else value
