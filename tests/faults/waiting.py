"""Waiting for what other processes bring about."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_LOOK_EVERY_S = 0.01
PATIENCE_S = 120.0


def wait_for(what: str, look: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
    """The first answer that is true. Fails when there is none in time."""
    deadline = time.monotonic() + patience_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {patience_s} s for: {what}"
        time.sleep(_LOOK_EVERY_S)
    return found
