"""Ids for real use."""

from __future__ import annotations

import pytest

from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.system.ids import SystemIds
from studbook.ports.contract.ids import IdsContract
from studbook.ports.ids import Ids


class TestSystemIds(IdsContract):
    @pytest.fixture
    def ids(self) -> Ids:
        return SystemIds()


class TestSystemIdsOfAStandingClock(IdsContract):
    @pytest.fixture
    def ids(self) -> Ids:
        return SystemIds(ManualClock())


def test_a_writer_id_tells_its_birth() -> None:
    clock = ManualClock(now_ns=1_773_501_926_535_897_932)
    assert SystemIds(clock).writer().startswith("20260314t152526535897932-")
    later = SystemIds(clock).writer()
    clock.advance(1e-9)
    assert SystemIds(clock).writer() > later
