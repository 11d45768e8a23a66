from __future__ import annotations

import pytest

from studbook.adapters.memory.locks import MemoryLocks
from studbook.ports.contract.locks import LocksContract
from studbook.ports.locks import Locks


class TestMemoryLocks(LocksContract):
    @pytest.fixture
    def locks(self) -> Locks:
        return MemoryLocks()
