"""Which of the processes of a distributed training this one is: only rank 0 records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from .errors import InvalidInput

Launcher = Literal["slurm", "mpi"]

_OF_LAUNCHER: dict[Launcher, tuple[str, ...]] = {
    "slurm": ("SLURM_PROCID",),
    "mpi": ("OMPI_COMM_WORLD_RANK", "PMI_RANK"),
}


def rank_of(environ: Mapping[str, str], given: int | None = None, launcher: Launcher | None = None) -> int:
    """The rank that was given, else `RANK` when `WORLD_SIZE` is above 1, else the launcher's variable, else 0.

    Without `launcher` no launcher is guessed: it may have started independent workers. Raises InvalidInput.
    """
    if given is not None:
        return _whole("rank", given)
    if "RANK" in environ and _whole("WORLD_SIZE", environ.get("WORLD_SIZE", "1")) > 1:
        return _whole("RANK", environ["RANK"])
    names = _OF_LAUNCHER[launcher] if launcher else ()
    return next((_whole(name, environ[name]) for name in names if name in environ), 0)


def _whole(name: str, said: str | int) -> int:
    try:
        number = int(said)
    except ValueError:
        number = -1
    if number < 0:
        raise InvalidInput(
            f"{name}={said!r:.80} is no rank",
            cure="ranks are whole numbers from 0 on; or give rank= yourself",
        )
    return number
