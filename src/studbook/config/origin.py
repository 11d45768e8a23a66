"""Where a setting's value came from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Source(StrEnum):
    """The sources of settings, the weakest first."""

    DEFAULT = "default"
    FILE = "file"
    DOTENV = ".env"
    MLFLOW_ENVIRONMENT = "MLflow environment"
    ENVIRONMENT = "environment"
    CALLER = "caller"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who said a value: the source, the exact place, and the folder that relative paths in it start from."""

    source: Source
    place: str
    folder: Path

    def __str__(self) -> str:
        return self.place
