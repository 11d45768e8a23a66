"""This machine, as benchmarks record it."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from ...domain.benchmark import Hardware
from .accelerator import accelerator_in_use
from .cpu import architecture, brand, usable_threads

_LIBRARIES = ("numpy", "scikit-learn", "torch", "tensorflow", "jax", "onnxruntime", "transformers")
_ENVIRONMENTS = (
    ("azureml", ("AZUREML_RUN_ID", "AZUREML_ARM_WORKSPACE_NAME")),
    ("kaggle", ("KAGGLE_KERNEL_RUN_TYPE", "KAGGLE_URL_BASE")),
    ("colab", ("COLAB_RELEASE_TAG", "COLAB_GPU")),
    ("slurm", ("SLURM_JOB_ID",)),
)
_CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))
_NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


class SystemMachine:
    """The machine that this process runs on.

    The kind is `cpu` unless PyTorch is loaded and already works on a device: that one is in use then. So ask
    after the model was moved to it. What merely sits in the machine, or belongs to others, says nothing.
    """

    def __init__(
        self, environ: Mapping[str, str] | None = None, modules: Mapping[str, Any] | None = None
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._modules: Mapping[str, Any] = sys.modules if modules is None else modules

    def hardware(self, threads: int | None = None) -> Hardware:
        """Processor or device in use; `threads` defaults to the cores this process may use."""
        device = accelerator_in_use(self._modules)
        if device is not None:
            return Hardware(
                kind=device.kind, accelerator=device.name, accelerators=device.count, arch=architecture()
            )
        return Hardware(
            kind="cpu",
            arch=architecture(),
            cpu=brand(),
            threads=usable_threads() if threads is None else threads,
        )

    def facts(self) -> dict[str, JsonValue]:
        """OS, host, memory in bytes, driver and library versions; null where this system does not tell."""
        return {
            "os": platform.platform(),
            "host": platform.node(),
            "python": platform.python_version(),
            "cpus": os.cpu_count(),
            "memory_bytes": _memory_bytes(),
            "driver": _driver(),
            "libraries": _libraries(),
        }

    def environment(self) -> str:
        """By the variables that these places set; `local` if there are none."""
        for label, variables in _ENVIRONMENTS:
            if any(self._environ.get(name) for name in variables):
                return label
        return "local"

    def is_transient(self) -> bool:
        """In one of those places but `local`, or in a container: Docker, Podman and Kubernetes leave their marks."""
        return (
            self.environment() != "local"
            or bool(self._environ.get("KUBERNETES_SERVICE_HOST"))
            or any(mark.exists() for mark in _CONTAINER_MARKS)
        )


def _memory_bytes() -> int | None:
    with suppress(AttributeError, ValueError, OSError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None


def _driver() -> str | None:
    with suppress(OSError, IndexError):
        return _NVIDIA_DRIVER.read_text(encoding="utf-8", errors="replace").splitlines()[0].strip()
    return None


def _libraries() -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
