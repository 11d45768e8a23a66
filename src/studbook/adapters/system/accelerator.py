"""The accelerator that this process works on, as a library that is already loaded tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Accelerator:
    """`count` devices that hold memory of this process, at least one."""

    kind: Literal["cuda", "rocm", "mps", "xpu"]
    name: str | None
    count: int


def accelerator_in_use(modules: Mapping[str, Any]) -> Accelerator | None:
    """What PyTorch has begun to use, or None. Nothing is imported, and no device is woken up for it."""
    torch = modules.get("torch")
    if torch is None:
        return None
    if _is_initialised(torch, "cuda"):
        hip = getattr(getattr(torch, "version", None), "hip", None)
        return _devices("rocm" if hip else "cuda", torch.cuda)
    if _is_initialised(torch, "xpu"):
        return _devices("xpu", torch.xpu)
    metal = getattr(torch, "mps", None)
    if "torch.mps" in modules and metal is not None and metal.current_allocated_memory() > 0:
        return Accelerator("mps", None, 1)
    return None


def _is_initialised(torch: Any, backend: str) -> bool:
    found = getattr(torch, backend, None)
    return found is not None and bool(found.is_initialized())


def _devices(kind: Literal["cuda", "rocm", "xpu"], backend: Any) -> Accelerator:
    used = [index for index in range(backend.device_count()) if backend.memory_reserved(index) > 0]
    first = used[0] if used else backend.current_device()
    return Accelerator(kind, str(backend.get_device_name(first)), max(1, len(used)))
