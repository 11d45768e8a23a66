"""How often a question is asked again while the backend is unavailable."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ...domain.errors import TrackingUnavailable
from ...ports.time_left import time_left_s
from .errors import NO_MLFLOW, TLS

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")

_STAYS = frozenset({NO_MLFLOW, TLS})


@dataclass(frozen=True, slots=True)
class Patience:
    """At most `attempts`, the last one begun within `within_s` seconds of the first.

    The n-th wait is drawn from 0 to min(`longest_wait_s`, `first_wait_s` · 2ⁿ) seconds (full jitter), and is
    never shorter than the server asked for. What the server puts off beyond `within_s`, or beyond the time that who
    waits has left, is not waited for.
    """

    attempts: int = 5
    within_s: float = 60.0
    first_wait_s: float = 0.5
    longest_wait_s: float = 60.0

    def ask(self, question: Callable[[], T]) -> T:
        """The answer. Raises the last TrackingUnavailable; any other error at once. For reads only."""
        from tenacity import Retrying, retry_if_exception

        retrying = Retrying(
            retry=retry_if_exception(_may_pass),
            wait=self._wait_asked_for_s,
            stop=self._is_over,
            reraise=True,
        )
        return retrying(question)

    def wait_s(self, attempt: int) -> float:
        """A wait after the n-th attempt, from 1."""
        longest_s = min(self.longest_wait_s, self.first_wait_s * 2 ** (attempt - 1))
        return random.uniform(0.0, longest_s)  # noqa: S311

    def _is_over(self, state: RetryCallState) -> bool:
        left_s = self.within_s - (state.seconds_since_start or 0.0)
        waiting_s = time_left_s()
        if waiting_s is not None:
            left_s = min(left_s, waiting_s)
        return state.attempt_number >= self.attempts or state.upcoming_sleep >= left_s

    def _wait_asked_for_s(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        asked_for = error.details.get("retry_after_s") if isinstance(error, TrackingUnavailable) else None
        return max(self.wait_s(state.attempt_number), asked_for if isinstance(asked_for, float) else 0.0)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, TrackingUnavailable) and error.details.get("code") not in _STAYS


ONCE = Patience(attempts=1)
"""Asks once: for questions inside a write, which is repeated as a whole."""
