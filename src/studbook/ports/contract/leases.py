"""What every Leases adapter must do.

Subclass `LeasesContract`, override the fixture `open_leases`, and let pytest collect it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from ...domain.liveness import Lease, Liveness, Sightings, judge
from ..leases import Leases

NOBODY = 2**30
"""A process id above what systems give out."""


class LeasesContract:
    """The promises of the port. Leases opened by one `open_leases` fixture are of one home and one process."""

    @pytest.fixture
    def open_leases(self) -> Callable[[], Leases]:
        """Opens the home's leases, over what was held in this test."""
        raise NotImplementedError

    def test_a_new_home_has_no_leases(self, open_leases: Callable[[], Leases]) -> None:
        assert open_leases().read() == ()

    def test_a_held_lease_is_seen_by_others_and_its_writer_lives(
        self, open_leases: Callable[[], Leases]
    ) -> None:
        open_leases().hold("w-1")
        other = open_leases()
        (lease,) = other.read()
        assert lease.writer == "w-1"
        assert lease.folder_inode == other.observer().folder_inode
        assert lease.space == other.observer().space
        assert judge(lease, other.observer(), Sightings()) is not Liveness.DEAD

    def test_leases_come_by_writer(self, open_leases: Callable[[], Leases]) -> None:
        leases = open_leases()
        for writer in ("b", "c-2", "a", "c-1"):
            leases.hold(writer)
        assert [lease.writer for lease in leases.read()] == ["a", "b", "c-1", "c-2"]

    def test_every_renewal_shows_a_counter_that_never_was(self, open_leases: Callable[[], Leases]) -> None:
        leases = open_leases()
        leases.hold("w-1")
        counters = [_of(open_leases(), "w-1").counter]
        for step in (leases.renew, leases.renew, leases.release, leases.renew, leases.hold, leases.renew):
            step("w-1")
            if step != leases.release:
                counters.append(_of(open_leases(), "w-1").counter)
        assert len(set(counters)) == len(counters)

    def test_a_renewal_changes_nothing_but_the_counter(self, open_leases: Callable[[], Leases]) -> None:
        leases = open_leases()
        leases.hold("w-1")
        before = _of(leases, "w-1")
        leases.renew("w-1")
        after = _of(leases, "w-1")
        assert before.model_copy(update={"counter": after.counter}) == after

    def test_renewing_holds_what_was_lost(self, open_leases: Callable[[], Leases]) -> None:
        leases = open_leases()
        leases.hold("w-1")
        open_leases().release("w-1")
        assert leases.read() == ()
        leases.renew("w-1")
        assert _of(leases, "w-1").writer == "w-1"

    def test_releasing_takes_away_one_lease_and_twice_is_fine(
        self, open_leases: Callable[[], Leases]
    ) -> None:
        leases = open_leases()
        leases.hold("w-1")
        leases.hold("w-2")
        leases.release("w-1")
        leases.release("w-1")
        leases.release("never-held")
        assert [lease.writer for lease in open_leases().read()] == ["w-2"]

    def test_leases_that_were_handed_out_do_not_change(self, open_leases: Callable[[], Leases]) -> None:
        leases = open_leases()
        leases.hold("w-1")
        before = leases.read()
        copy = [lease.model_dump() for lease in before]
        leases.renew("w-1")
        assert [lease.model_dump() for lease in before] == copy

    def test_the_observer_knows_who_lives(self, open_leases: Callable[[], Leases]) -> None:
        leases = open_leases()
        leases.hold("w-1")
        lease = _of(leases, "w-1")
        process = leases.observer().process_of(lease.pid)
        assert process is not None
        assert process.started == lease.started
        assert leases.observer().process_of(NOBODY) is None

    def test_a_reader_never_sees_half_a_lease(self, open_leases: Callable[[], Leases]) -> None:
        holder, reader = open_leases(), open_leases()
        holder.hold("w-1")
        done = threading.Event()

        def renew() -> None:
            try:
                for _ in range(50):
                    holder.renew("w-1")
            finally:
                done.set()

        with ThreadPoolExecutor(1) as pool:
            renewing = pool.submit(renew)
            looks = [len(reader.read())]
            while not done.is_set():
                looks.append(len(reader.read()))
            renewing.result(30)
        assert set(looks) == {1}

    def test_threads_may_hold_at_once(self, open_leases: Callable[[], Leases]) -> None:
        leases = open_leases()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(leases.hold, [f"w-{number % 5}" for number in range(20)]))
        assert [lease.writer for lease in leases.read()] == [f"w-{number}" for number in range(5)]


def _of(leases: Leases, writer: str) -> Lease:
    (found,) = [lease for lease in leases.read() if lease.writer == writer]
    return found
