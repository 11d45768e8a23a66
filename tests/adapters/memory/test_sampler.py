from __future__ import annotations

from collections import defaultdict

import pytest

from studbook.adapters.memory.sampler import MemorySampler
from studbook.ports.contract.sampler import NewSampler, SamplerContract


class TestMemorySampler(SamplerContract):
    @pytest.fixture
    def new_sampler(self) -> NewSampler:
        places: dict[str, MemorySampler] = defaultdict(MemorySampler)
        return places.__getitem__
