from __future__ import annotations

from collections.abc import Callable

import pytest

from studbook.adapters.memory.attempt_claims import MemoryAttemptClaims
from studbook.ports.attempt_claims import AttemptClaims
from studbook.ports.contract.attempt_claims import AttemptClaimsContract


class TestMemoryAttemptClaims(AttemptClaimsContract):
    @pytest.fixture
    def open_claims(self) -> Callable[[], AttemptClaims]:
        claims = MemoryAttemptClaims()
        return lambda: claims
