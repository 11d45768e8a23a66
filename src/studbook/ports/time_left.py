"""How much time somebody who waits for this thread's work has left: told to adapters, so that they wait no longer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_left_s: ContextVar[Callable[[], float] | None] = ContextVar("time_left", default=None)


@contextmanager
def within(left_s: Callable[[], float]) -> Iterator[None]:
    """Work while somebody waits; `left_s` gives the seconds that are left, below 0 when they are over."""
    token = _left_s.set(left_s)
    try:
        yield
    finally:
        _left_s.reset(token)


def time_left_s() -> float | None:
    """Seconds, below 0 when they are over; None when nobody waits."""
    left_s = _left_s.get()
    return None if left_s is None else left_s()
