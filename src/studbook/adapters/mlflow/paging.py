"""Runs in the declared order, page by page, by start time: rows that come or go meanwhile shift no page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ...domain.stored_run import StoredRun


@dataclass(frozen=True, slots=True)
class Page:
    """Some runs, in the order that was asked for; `token` leads on when there are more."""

    runs: Sequence[StoredRun]
    token: str | None


FetchPage = Callable[[int | None, int, str | None], Page]


def page_through(fetch: FetchPage, *, first_page: int, largest_page: int) -> Iterator[StoredRun]:
    """All runs, each once; those of one start time by ascending run id.

    `fetch(start, size, token)` gives up to `size` runs that started at `start` or come after it in the order
    (None: all). A token is followed only while a whole page lies within one start time. Pages grow, so that a
    small first page costs little when the answer is long.
    """
    size = min(first_page, largest_page)
    bound: int | None = None
    token: str | None = None
    start: int | None = None
    same_start: dict[str, StoredRun] = {}
    while True:
        page = fetch(bound, size, token)
        for run in page.runs:
            if run.started_at_ms != start:
                yield from _by_id(same_start)
                same_start, start = {}, run.started_at_ms
            same_start[run.run_id] = run
        if page.token is None:
            yield from _by_id(same_start)
            return
        stuck = start == bound
        if not stuck:
            size = min(size * 2, largest_page)
        bound, token = start, page.token if stuck else None


def _by_id(runs: dict[str, StoredRun]) -> list[StoredRun]:
    return [runs[run_id] for run_id in sorted(runs)]
