from __future__ import annotations

import os
import platform
from pathlib import Path
from types import SimpleNamespace

import pytest

from studbook.adapters.system.cpu import brand, usable_threads
from studbook.adapters.system.machine import SystemMachine
from studbook.ports.contract.machine import MachineContract
from studbook.ports.machine import Machine


def backend(reserved: list[int]) -> SimpleNamespace:
    """What PyTorch tells of the devices of one kind: bytes reserved on each."""
    return SimpleNamespace(
        is_initialized=lambda: True,
        device_count=lambda: len(reserved),
        memory_reserved=reserved.__getitem__,
        current_device=lambda: 0,
        get_device_name=lambda index: f"Device  {index}",
    )


IDLE = SimpleNamespace(is_initialized=lambda: False)


class TestSystemMachine(MachineContract):
    @pytest.fixture
    def machine(self) -> Machine:
        return SystemMachine(environ={}, modules={})


class TestSystemMachineWithADevice(MachineContract):
    @pytest.fixture
    def machine(self) -> Machine:
        torch = SimpleNamespace(cuda=backend([0, 10, 10]), version=SimpleNamespace(hip=None))
        return SystemMachine(environ={}, modules={"torch": torch})


@pytest.mark.parametrize(
    ("torch", "expected"),
    [
        (SimpleNamespace(cuda=backend([0, 5, 5])), ("cuda", "Device 1", 2)),
        (SimpleNamespace(cuda=backend([0])), ("cuda", "Device 0", 1)),
        (SimpleNamespace(cuda=backend([1]), version=SimpleNamespace(hip="6.2")), ("rocm", "Device 0", 1)),
        (SimpleNamespace(cuda=IDLE, xpu=backend([1])), ("xpu", "Device 0", 1)),
        (
            SimpleNamespace(cuda=IDLE, mps=SimpleNamespace(current_allocated_memory=lambda: 8)),
            ("mps", None, 1),
        ),
        (
            SimpleNamespace(cuda=IDLE, mps=SimpleNamespace(current_allocated_memory=lambda: 0)),
            ("cpu", None, 0),
        ),
        (SimpleNamespace(cuda=IDLE, xpu=IDLE), ("cpu", None, 0)),
        (SimpleNamespace(), ("cpu", None, 0)),
    ],
)
def test_the_device_that_is_in_use_counts(torch: object, expected: tuple[str, str | None, int]) -> None:
    hardware = SystemMachine(environ={}, modules={"torch": torch, "torch.mps": object()}).hardware()
    assert (hardware.kind, hardware.accelerator, hardware.accelerators) == expected


@pytest.mark.parametrize(
    ("environ", "label"),
    [
        ({}, "local"),
        ({"SLURM_JOB_ID": "12"}, "slurm"),
        ({"COLAB_RELEASE_TAG": "release"}, "colab"),
        ({"KAGGLE_KERNEL_RUN_TYPE": "Batch"}, "kaggle"),
        ({"AZUREML_RUN_ID": "run", "SLURM_JOB_ID": "12"}, "azureml"),
        ({"SLURM_JOB_ID": ""}, "local"),
    ],
)
def test_the_environment_is_told_by_its_variables(environ: dict[str, str], label: str) -> None:
    assert SystemMachine(environ=environ, modules={}).environment() == label


def test_facts_are_of_this_machine() -> None:
    facts = SystemMachine().facts()
    assert facts["os"] == platform.platform()
    assert isinstance(facts["libraries"], dict)
    assert "numpy" in facts["libraries"]


def test_the_brand_is_read_from_cpuinfo(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Fast CPU @ 3 GHz\n\nprocessor\t: 1\n")
    assert brand(cpuinfo) == "Fast CPU @ 3 GHz"
    assert brand(tmp_path / "absent")


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu.max": "99900000 100000\n"}, None),
        ({}, None),
    ],
)
def test_threads_are_limited_by_the_containers_quota(
    tmp_path: Path, files: dict[str, str], quota: int | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    allowed = len(os.sched_getaffinity(0))
    assert usable_threads(tmp_path) == (allowed if quota is None else quota)
