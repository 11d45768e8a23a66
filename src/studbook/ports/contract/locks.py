"""What every Locks adapter keeps."""

from __future__ import annotations

import threading

import pytest

from ..locks import Locks


class LocksContract:
    """Subclass it, and give the fixture `locks`."""

    @pytest.fixture
    def locks(self) -> Locks:
        """Fresh locks, nobody holding any."""
        raise NotImplementedError

    def test_a_free_lock_is_held(self, locks: Locks) -> None:
        with locks.hold("study-1", 0.0) as held:
            assert held

    def test_a_taken_lock_is_not_held_twice(self, locks: Locks) -> None:
        with locks.hold("study-1", 0.0), locks.hold("study-1", 0.0) as held:
            assert not held

    def test_names_do_not_block_each_other(self, locks: Locks) -> None:
        with locks.hold("study-1", 0.0), locks.hold("study-2", 0.0) as held:
            assert held

    def test_leaving_frees_it(self, locks: Locks) -> None:
        with locks.hold("study-1", 0.0):
            pass
        with locks.hold("study-1", 0.0) as held:
            assert held

    def test_an_exception_frees_it(self, locks: Locks) -> None:
        with pytest.raises(RuntimeError, match="inside"), locks.hold("study-1", 0.0):
            raise RuntimeError("inside")
        with locks.hold("study-1", 0.0) as held:
            assert held

    def test_giving_up_leaves_the_holder_alone(self, locks: Locks) -> None:
        with locks.hold("study-1", 0.0):
            with locks.hold("study-1", 0.0) as second:
                assert not second
            with locks.hold("study-1", 0.0) as third:
                assert not third

    def test_a_waiter_gets_it_when_it_is_freed(self, locks: Locks) -> None:
        got: list[bool] = []
        waiting = threading.Event()

        def wait() -> None:
            waiting.set()
            with locks.hold("study-1", 30.0) as held:
                got.append(held)

        with locks.hold("study-1", 0.0):
            waiter = threading.Thread(target=wait)
            waiter.start()
            waiting.wait(30)
        waiter.join(30)
        assert got == [True]
