"""What only a process of our own may do to itself, and never a program that uses the library."""

from __future__ import annotations

import gc
import os

_MLFLOW = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_TRUNCATE_LONG_VALUES": "false",
}
_ALLOCATIONS_BEFORE_COLLECTION = 50_000


def settle_in() -> None:
    """Set what MLflow's client reads from the environment, and have the garbage collector run less often.

    A batch under way is thousands of small objects, none of them garbage: at Python's usual pace a delivery spends
    a quarter of its time on looking through them, and through all of MLflow, in vain.
    """
    for name, value in _MLFLOW.items():
        os.environ.setdefault(name, value)
    gc.set_threshold(_ALLOCATIONS_BEFORE_COLLECTION)
