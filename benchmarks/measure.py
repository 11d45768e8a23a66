"""Measuring: tasks in turns, so that a busy machine disturbs all of them alike, and medians of the ratios."""

from __future__ import annotations

import gc
import operator
import time
from collections.abc import Callable, Sequence
from statistics import median

Task = Callable[[], float]
"""Does the work once; returns seconds per operation. What it needs is made, and removed, off the clock."""

Samples = list[float]
"""Seconds per operation, one a round."""


def in_turns(tasks: Sequence[Task], rounds: int) -> list[Samples]:
    """Run all tasks in every round, in alternating order, after one round that does not count.

    Each task's samples; the n-th samples of all tasks were taken beside each other.
    """
    taken: list[Samples] = [[] for _ in tasks]
    for number in range(rounds + 1):
        pairs = list(zip(tasks, taken, strict=True))
        for task, samples in pairs if number % 2 else reversed(pairs):
            gc.collect()
            seconds = task()
            if number:
                samples.append(seconds)
    return taken


def timed(work: Callable[[], object], operations: int = 1) -> Task:
    """A task that does `operations` operations by one call of `work`."""

    def task() -> float:
        begun = time.perf_counter()
        work()
        return (time.perf_counter() - begun) / operations

    return task


def ratios(ours: Samples, theirs: Samples) -> Samples:
    """Ours divided by theirs, round by round."""
    return list(map(operator.truediv, ours, theirs))


def readable(seconds: float) -> str:
    """A duration with three digits and its unit."""
    for limit, factor, unit in ((1e-6, 1e9, "ns"), (1e-3, 1e6, "µs"), (1.0, 1e3, "ms")):
        if seconds < limit:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"


def typical(samples: Samples) -> str:
    """The median, for people."""
    return readable(median(samples))
