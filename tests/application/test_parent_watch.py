"""Whether a child's parent is gone: by its lease, looked at every so often."""

from __future__ import annotations

from pathlib import Path

import pytest

from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.memory.leases import MemoryLeases
from studbook.application.parent_watch import ParentWatch
from studbook.application.writer_watch import WriterWatch
from studbook.domain.errors import HomeUnusable
from studbook.domain.liveness import Lease
from studbook.domain.run_context import StopWord

TTL_S = 90.0


class Parent:
    """A parent that holds a lease, and the child that watches it."""

    def __init__(self, leases: MemoryLeases | None = None, control: Path | None = None) -> None:
        self.clock = ManualClock()
        self.leases = leases or MemoryLeases()
        watch = WriterWatch(self.leases, self.clock, ttl_s=TTL_S)
        self.watch = ParentWatch(control, "parent", watch, self.clock, every_s=15.0)

    def after(self, seconds: float) -> StopWord | None:
        """What the child knows after some time."""
        self.clock.sleep(seconds)
        return self.watch.word()


class _Unreadable(MemoryLeases):
    def read(self) -> tuple[Lease, ...]:
        raise HomeUnusable("no leases", cure="")


def test_a_parent_that_lives_is_no_reason_to_stop() -> None:
    parent = Parent()
    parent.leases.hold("parent")
    assert [parent.after(20) for _ in range(10)] == [None] * 10


def test_a_parent_that_has_given_its_lease_back_has_left() -> None:
    parent = Parent()
    parent.leases.hold("parent")
    assert parent.after(0) is None
    parent.leases.release("parent")
    assert parent.after(14) is None, "looked at every 15 seconds"
    assert parent.after(1) is StopWord.STOP
    parent.leases.hold("parent")
    assert parent.after(20) is StopWord.STOP, "what was said stays said"


def test_a_parent_that_never_had_a_lease_may_live() -> None:
    parent = Parent()
    assert [parent.after(20) for _ in range(10)] == [None] * 10


def test_leases_that_cannot_be_read_are_no_reason_to_stop() -> None:
    parent = Parent(_Unreadable())
    assert parent.after(20) is None


@pytest.mark.parametrize("text", ["", "pru", "go on"])
def test_what_is_no_word_says_nothing(tmp_path: Path, text: str) -> None:
    parent = Parent(control=tmp_path / "control")
    (tmp_path / "control").write_text(text, encoding="utf-8")
    assert parent.after(0) is None


def test_time_that_is_over_comes_before_pruning(tmp_path: Path) -> None:
    parent = Parent(control=tmp_path / "control")
    for word in (StopWord.PRUNE, StopWord.STOP):
        (tmp_path / "control").write_text(word, encoding="utf-8")
        assert parent.after(0) is word
