"""The fake delivery ledger keeps the promises of a delivery ledger."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from studbook.adapters.memory.delivery_ledger import MemoryDeliveryLedger
from studbook.ports.contract.delivery_ledger import DeliveryLedgerContract
from studbook.ports.delivery_ledger import DeliveryLedger


class TestMemoryDeliveryLedger(DeliveryLedgerContract):
    @pytest.fixture
    def open_ledger(self) -> Callable[[], DeliveryLedger]:
        ledger = MemoryDeliveryLedger()
        return lambda: ledger
