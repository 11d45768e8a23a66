"""studbook: the official record of where a model came from.

Public names load when they are first used, so that importing studbook costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .application.train_context import PruneTrial
    from .domain.errors import StudbookError
    from .domain.run import RunStatus
    from .domain.search_space import choice, float_range, int_range
    from .domain.stage import Stage
    from .domain.study import maximize, minimize
    from .domain.sweep_job import AzureSweep
    from .entrypoints.child import child
    from .entrypoints.command_training import command_training
    from .entrypoints.job_context import job_context
    from .entrypoints.studbook import Studbook
    from .ports.run_query import RunQuery

    __version__: str

__all__ = [
    "AzureSweep",
    "PruneTrial",
    "RunQuery",
    "RunStatus",
    "Stage",
    "Studbook",
    "StudbookError",
    "__version__",
    "child",
    "choice",
    "command_training",
    "float_range",
    "int_range",
    "job_context",
    "maximize",
    "minimize",
]

_HOME_OF = {
    "AzureSweep": ".domain.sweep_job",
    "PruneTrial": ".application.train_context",
    "RunQuery": ".ports.run_query",
    "RunStatus": ".domain.run",
    "Stage": ".domain.stage",
    "Studbook": ".entrypoints.studbook",
    "StudbookError": ".domain.errors",
    "child": ".entrypoints.child",
    "choice": ".domain.search_space",
    "command_training": ".entrypoints.command_training",
    "float_range": ".domain.search_space",
    "int_range": ".domain.search_space",
    "job_context": ".entrypoints.job_context",
    "maximize": ".domain.study",
    "minimize": ".domain.study",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("studbook")
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
