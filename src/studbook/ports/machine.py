"""The machine that work runs on: what a benchmark must know of it."""

from __future__ import annotations

from typing import Protocol

from pydantic import JsonValue

from ..domain.benchmark import Hardware


class Machine(Protocol):
    """This machine's hardware and surroundings."""

    def hardware(self, threads: int | None = None) -> Hardware:
        """What a benchmark's numbers depend on; `threads` defaults to the cores this process may use."""
        ...

    def facts(self) -> dict[str, JsonValue]:
        """OS, memory and library versions: recorded, no identity."""
        ...

    def environment(self) -> str:
        """A label: azureml, kaggle, colab, slurm or local; decides nothing."""
        ...

    def is_transient(self) -> bool:
        """Whether the end of this process may take its children down with it: inside a job or a container."""
        ...
