"""Looking for what is wrong before it hurts: checks, each of which answers with one finding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

USABLE = ("backend", "reachability", "credentials", "database", "schema", "workspaces", "workspace")
"""What a backend's checks are called that tell whether it can be used at all; it has those that fit it."""


class Outcome(StrEnum):
    """OK: nothing to do. WARNING: it works, and may not for long or not for all. PROBLEM: somebody must act."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, in one sentence; `cure` says what to do about it."""

    outcome: Outcome
    found: str
    cure: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A check, by its name. `look` may raise StudbookError: that is a problem, too.

    It is not made when one that it `needs` found a problem, and is given up after `timeout_s` seconds.
    """

    name: str
    look: Callable[[], Finding]
    needs: tuple[str, ...] = ()
    timeout_s: float = 30.0


class Checkup(Protocol):
    """The checks of one part of the surroundings: the backend, the home, the installation."""

    def checks(self) -> tuple[Check, ...]:
        """The checks in their order, each name once, what they need before them. Quick: nothing is touched yet.

        A look writes nothing, and makes nothing that was not there.
        """
        ...


def ok(found: str) -> Finding:
    """Nothing to do."""
    return Finding(Outcome.OK, found)


def warning(found: str, cure: str) -> Finding:
    """It works, and may not for long or not for all."""
    return Finding(Outcome.WARNING, found, cure)


def problem(found: str, cure: str) -> Finding:
    """Somebody must act."""
    return Finding(Outcome.PROBLEM, found, cure)
