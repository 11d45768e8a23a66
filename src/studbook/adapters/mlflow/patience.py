"""How often a question is asked again while the backend is unavailable."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from ...domain.errors import TrackingUnavailable
from .errors import NO_MLFLOW

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """At most `attempts`, the last one begun within `within_s` seconds of the first.

    The n-th wait is drawn from 0 to min(`longest_wait_s`, `first_wait_s` · 2ⁿ) seconds (full jitter), and is
    never shorter than the server asked for. What the server puts off beyond `within_s` is not waited for.
    """

    attempts: int = 5
    within_s: float = 60.0
    first_wait_s: float = 0.5
    longest_wait_s: float = 60.0

    def ask(self, question: Callable[[], T]) -> T:
        """The answer. Raises the last TrackingUnavailable; any other error at once. For reads only."""
        import stamina

        began = time.monotonic()
        failures = 0

        def wait_s(error: Exception) -> bool | float:
            nonlocal failures
            if not isinstance(error, TrackingUnavailable) or error.details.get("code") == NO_MLFLOW:
                return False
            jitter = random.uniform(0.0, min(self.longest_wait_s, self.first_wait_s * 2**failures))  # noqa: S311
            failures += 1
            asked_for = error.details.get("retry_after_s")
            wait = max(jitter, asked_for if isinstance(asked_for, float) else 0.0)
            return wait if time.monotonic() - began + wait < self.within_s else False

        for attempt in stamina.retry_context(on=wait_s, attempts=self.attempts, timeout=self.within_s):
            with attempt:
                return question()
        raise AssertionError("the last attempt returns or raises")


ONCE = Patience(attempts=1)
"""Asks once: for questions inside a write, which is repeated as a whole."""
