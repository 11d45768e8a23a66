"""Leases that break one promise each, and the tests of the contract that must notice."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from studbook.adapters.memory.leases import MemoryLeaseFolder, MemoryLeases, MemoryProcesses
from studbook.domain.liveness import Lease, Observer, Process
from studbook.ports.contract.leases import LeasesContract
from studbook.ports.contract.violations import violations


class _ForgetsItsCounter(MemoryLeases):
    def release(self, writer: str) -> None:
        super().release(writer)
        self._folder.counters.pop(writer, None)


class _NeverCounts(MemoryLeases):
    def renew(self, writer: str) -> None:
        if writer not in self._folder.leases:
            super().renew(writer)


class _RenewsOnlyWhatIsHeld(MemoryLeases):
    def renew(self, writer: str) -> None:
        if writer in self._folder.leases:
            super().renew(writer)


class _ReleasesAll(MemoryLeases):
    def release(self, writer: str) -> None:
        self._folder.leases.clear()


class _ReleasesOnce(MemoryLeases):
    def release(self, writer: str) -> None:
        del self._folder.leases[writer]


class _Unordered(MemoryLeases):
    def read(self) -> tuple[Lease, ...]:
        return tuple(self._folder.leases.values())


class _NamesTheProcessAnew(MemoryLeases):
    def renew(self, writer: str) -> None:
        self._started = (self._started or 0) + 1
        super().renew(writer)


class _KnowsNobody(MemoryLeases):
    def observer(self) -> Observer:
        return Observer(self._processes.space, self._folder.inode, lambda _pid: None)


class _KnowsEverybody(MemoryLeases):
    def observer(self) -> Observer:
        return Observer(self._processes.space, self._folder.inode, lambda _pid: Process(self._started))


class _SeesAnotherFolder(MemoryLeases):
    def observer(self) -> Observer:
        return Observer(self._processes.space, self._folder.inode + 1, self._processes.find)


class _KeepsItToItself(MemoryLeases):
    def __init__(self, _folder: MemoryLeaseFolder, processes: MemoryProcesses) -> None:
        super().__init__(MemoryLeaseFolder(), processes)


class _TakesTheFileAwayFirst(MemoryLeases):
    looked = threading.Event()

    def renew(self, writer: str) -> None:
        self.release(writer)
        self.looked.clear()
        self.looked.wait(0.1)
        super().renew(writer)

    def read(self) -> tuple[Lease, ...]:
        found = super().read()
        self.looked.set()
        return found


BROKEN = {
    _ForgetsItsCounter: "test_every_renewal_shows_a_counter_that_never_was",
    _NeverCounts: "test_every_renewal_shows_a_counter_that_never_was",
    _RenewsOnlyWhatIsHeld: "test_renewing_holds_what_was_lost",
    _ReleasesAll: "test_releasing_takes_away_one_lease_and_twice_is_fine",
    _ReleasesOnce: "test_releasing_takes_away_one_lease_and_twice_is_fine",
    _Unordered: "test_leases_come_by_writer",
    _NamesTheProcessAnew: "test_a_renewal_changes_nothing_but_the_counter",
    _KnowsNobody: "test_the_observer_knows_who_lives",
    _KnowsEverybody: "test_the_observer_knows_who_lives",
    _SeesAnotherFolder: "test_a_held_lease_is_seen_by_others_and_its_writer_lives",
    _KeepsItToItself: "test_a_held_lease_is_seen_by_others_and_its_writer_lives",
    _TakesTheFileAwayFirst: "test_a_reader_never_sees_half_a_lease",
}


def opener(kind: type[MemoryLeases]) -> Callable[[], Callable[[], MemoryLeases]]:
    """The contract's fixture for these leases."""

    def fixture() -> Callable[[], MemoryLeases]:
        folder, processes = MemoryLeaseFolder(), MemoryProcesses()
        return lambda: kind(folder, processes)

    return fixture


@pytest.mark.parametrize("broken", BROKEN, ids=lambda kind: kind.__name__)
def test_the_contract_notices(broken: type[MemoryLeases]) -> None:
    assert BROKEN[broken] in violations(LeasesContract(), open_leases=opener(broken))


def test_the_contract_has_nothing_against_right_leases() -> None:
    assert violations(LeasesContract(), open_leases=opener(MemoryLeases)) == set()
