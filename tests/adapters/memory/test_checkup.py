from __future__ import annotations

from collections.abc import Callable

import pytest

from studbook.adapters.memory.checkup import MemoryCheckup
from studbook.ports.checkup import Checkup
from studbook.ports.contract.checkup import CheckupContract


class TestMemoryCheckup(CheckupContract):
    @pytest.fixture
    def checkup(self) -> Checkup:
        return MemoryCheckup()

    @pytest.fixture
    def seen(self) -> Callable[[], object]:
        return lambda: None
