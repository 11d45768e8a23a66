"""A relay whose process kills itself at its n-th durable step: what a relay does between two of them has no effect."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from dependency_injector import providers

from faults.fault_home import FaultHome

_STEPS = {
    "tracking_store": ("create_run", "record", "end_run"),
    "artifact_store": ("put", "put_record"),
    "ledger": ("bind", "advance", "refuse"),
    "event_log": ("append",),
    "pins": ("release",),
}
_ALL_STEPS = tuple(step for steps in _STEPS.values() for step in steps)


class Death(NamedTuple):
    """SIGKILL at the `at`-th step, counted from 1, of those that are named; before or after it took effect."""

    at: int
    after: bool
    steps: tuple[str, ...] = _ALL_STEPS


class _Mortal:
    """Passes everything on, and counts the steps."""

    def __init__(self, target: Any, count: Callable[..., Any], names: Iterable[str]) -> None:
        self._target = target
        self._count = count
        self._names = frozenset(names)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if name not in self._names:
            return found
        return lambda *args, **kwargs: self._count(found, *args, **kwargs)


def serve(folder: Path, death: Death | None) -> None:
    """The relay process's work, until nothing is left to do or until its death."""
    container = FaultHome(folder).container()
    steps = 0

    def count(step: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        nonlocal steps
        steps += 1
        dies = death is not None and steps == death.at
        if dies and death is not None and not death.after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = step(*args, **kwargs)
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    for name, methods in _STEPS.items():
        provider = getattr(container, name)
        names = methods if death is None else set(methods) & set(death.steps)
        provider.override(providers.Object(_Mortal(provider(), count, names)))
    container.relay_service().run()
