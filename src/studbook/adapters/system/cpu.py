"""This machine's processor: its brand, and how much of it this process may use."""

from __future__ import annotations

import math
import os
import platform
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}
_SYSCTL_SECONDS = 5


def architecture() -> str:
    """The instruction set, by one name on every operating system."""
    machine = platform.machine().lower() or "unknown"
    return _ARCHITECTURES.get(machine, machine)


def brand(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's brand text, else what the operating system calls it."""
    with suppress(OSError):
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, text = line.partition(":")
            if name.strip() in ("model name", "cpu model") and text.strip():
                return text.strip()
    if sys.platform == "darwin":
        with suppress(OSError, subprocess.SubprocessError):
            asked = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(
                asked, check=True, capture_output=True, text=True, timeout=_SYSCTL_SECONDS
            ).stdout.strip()
    return platform.processor() or architecture()


def usable_threads(control_groups: Path = Path("/sys/fs/cgroup")) -> int:
    """The cores that this process may use: its affinity, within its container's quota."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(control_groups)
    return allowed if quota is None else max(1, min(allowed, math.ceil(quota)))


def _quota(control_groups: Path) -> float | None:
    """Cores, of control groups v2, else v1; None if there is no limit."""
    for limit, period in (
        (("cpu.max", 0), ("cpu.max", 1)),
        (("cpu/cpu.cfs_quota_us", 0), ("cpu/cpu.cfs_period_us", 0)),
    ):
        with suppress(OSError, ValueError, IndexError, ZeroDivisionError):
            cores = _word(control_groups, *limit) / _word(control_groups, *period)
            return cores if cores > 0 else None
    return None


def _word(control_groups: Path, file: str, index: int) -> int:
    return int((control_groups / file).read_text(encoding="ascii").split()[index])
