"""A machine that is what it was told to be."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

from pydantic import JsonValue

from ...domain.benchmark import Hardware

_HARDWARE = Hardware(kind="cpu", arch="x86_64", cpu="Test CPU", threads=4)


class FixedMachine:
    """Gives back its arguments; `threads` counts for the CPU, as everywhere."""

    def __init__(
        self,
        hardware: Hardware = _HARDWARE,
        facts: Mapping[str, JsonValue] | None = None,
        environment: str = "local",
    ) -> None:
        self._hardware = hardware
        self._facts = dict(facts or {"os": "Test OS"})
        self._environment = environment

    def hardware(self, threads: int | None = None) -> Hardware:
        """The given hardware, with `threads` if they are said. Raises InvalidInput for less than one."""
        if threads is None:
            return self._hardware
        return Hardware.model_validate(self._hardware.payload() | {"threads": threads})

    def facts(self) -> dict[str, JsonValue]:
        """The given facts."""
        return deepcopy(self._facts)

    def environment(self) -> str:
        """The given label."""
        return self._environment

    def is_transient(self) -> bool:
        """Anywhere but `local`."""
        return self._environment != "local"
