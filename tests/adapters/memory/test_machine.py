from __future__ import annotations

import pytest

from studbook.adapters.memory.machine import FixedMachine
from studbook.domain.benchmark import Hardware
from studbook.ports.contract.machine import MachineContract
from studbook.ports.machine import Machine


class TestFixedMachine(MachineContract):
    @pytest.fixture
    def machine(self) -> Machine:
        return FixedMachine()


class TestFixedMachineWithADevice(MachineContract):
    @pytest.fixture
    def machine(self) -> Machine:
        device = Hardware(kind="cuda", accelerator="Test GPU", accelerators=2, arch="x86_64")
        return FixedMachine(device, {"os": "Test OS", "driver": "1"}, "slurm")
