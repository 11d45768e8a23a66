"""What callers name that studbook did not make: runs of MLflow, and sweep jobs of Azure ML."""

from __future__ import annotations

from collections.abc import Iterable

from ..domain.errors import RunIdInvalid
from ..domain.sweep_job import AzureSweep

SweepsGiven = str | AzureSweep | Iterable[str | AzureSweep] | None


def run_id(run: object) -> str | None:
    """The id of an MLflow run, of whatever class, or the id itself. Raises RunIdInvalid."""
    if run is None or isinstance(run, str):
        return run
    found = getattr(getattr(run, "info", None), "run_id", None)
    if not isinstance(found, str):
        raise RunIdInvalid(
            f"{run!r:.100} is no MLflow run",
            cure="give adopt= what mlflow.start_run() or mlflow.active_run() returned, or a run id",
        )
    return found


def azure_sweeps(given: SweepsGiven) -> tuple[AzureSweep, ...]:
    """The sweep jobs that are named, by name or as they are. Raises InvalidInput."""
    if given is None:
        return ()
    several = (given,) if isinstance(given, str | AzureSweep) else given
    return tuple(one if isinstance(one, AzureSweep) else AzureSweep(one) for one in several)
