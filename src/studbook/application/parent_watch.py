"""Whether a child process is to stop: it was told so, or its parent is gone."""

from __future__ import annotations

from pathlib import Path

from ..domain.errors import HomeUnusable
from ..domain.liveness import Liveness
from ..domain.run_context import StopWord
from ..ports.clock import Clock
from .child_folder import read_control
from .writer_watch import WriterWatch


class ParentWatch:
    """Reads the control file at every question, and the parent's lease every `every_s` seconds.

    What was once said stays said. Without a parent nobody can be gone.
    """

    def __init__(
        self, control: Path | None, parent: str | None, watch: WriterWatch, clock: Clock, *, every_s: float
    ) -> None:
        self._control = control
        self._parent = parent
        self._watch = watch
        self._clock = clock
        self._every_ns = int(every_s * 1e9)
        self._look_at = clock.monotonic_ns()
        self._was_there = False
        self._said: StopWord | None = None

    def word(self) -> StopWord | None:
        """Why to stop, or None: go on."""
        if self._said is not StopWord.STOP and self._control is not None:
            self._said = read_control(self._control) or self._said
        if self._said is None and self._parent is not None and self._is_gone(self._parent):
            self._said = StopWord.STOP
        return self._said

    def _is_gone(self, parent: str) -> bool:
        now = self._clock.monotonic_ns()
        if now < self._look_at:
            return False
        self._look_at = now + self._every_ns
        try:
            look = self._watch.look()
        except HomeUnusable:
            return False
        # A parent that has left in order has given its lease back.
        left = self._was_there and parent not in look.liveness
        self._was_there = self._was_there or parent in look.liveness
        return left or look.of(parent) is Liveness.DEAD
