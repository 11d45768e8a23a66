"""The ids of tests."""

from __future__ import annotations

import pytest

from studbook.adapters.memory.ids import CountingIds
from studbook.ports.contract.ids import IdsContract
from studbook.ports.ids import Ids


class TestCountingIds(IdsContract):
    @pytest.fixture
    def ids(self) -> Ids:
        return CountingIds()


def test_ids_can_be_foretold() -> None:
    ids = CountingIds()
    assert [ids.writer(), ids.writer(), ids.nonce()] == ["writer-000001", "writer-000002", f"{1:016x}"]
