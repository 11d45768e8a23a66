"""The fake leases keep the promises of leases."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from studbook.adapters.memory.leases import MemoryLeaseFolder, MemoryLeases, MemoryProcesses
from studbook.ports.contract.leases import LeasesContract
from studbook.ports.leases import Leases


class TestMemoryLeases(LeasesContract):
    @pytest.fixture
    def open_leases(self) -> Callable[[], Leases]:
        folder, processes = MemoryLeaseFolder(), MemoryProcesses()
        return lambda: MemoryLeases(folder, processes)
