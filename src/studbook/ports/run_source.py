"""Stores that are only read: what a migration needs of its source. Every full store is one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from ..domain.store_writes import MetricPoint
from ..domain.stored_run import StoredRun
from .artifact_store import StoredFile
from .run_query import RunQuery


class RunSource(Protocol):
    """The questions of `TrackingStore`, with its promises."""

    def find(self, query: RunQuery) -> Iterator[StoredRun]:
        """See TrackingStore."""
        ...

    def get_run(self, run_id: str) -> StoredRun:
        """See TrackingStore."""
        ...

    def metric_history(self, run_id: str, name: str) -> tuple[MetricPoint, ...]:
        """See TrackingStore."""
        ...

    def experiments(self) -> tuple[str, ...]:
        """See TrackingStore."""
        ...

    def close(self) -> None:
        """See TrackingStore."""
        ...


class FileSource(Protocol):
    """The questions of `ArtifactStore` about single files, with its promises."""

    def list_files(self, run_id: str) -> tuple[StoredFile, ...]:
        """See ArtifactStore."""
        ...

    def read(self, run_id: str, path: str) -> bytes:
        """See ArtifactStore."""
        ...

    def fetch_file(self, run_id: str, path: str, target: Path) -> str:
        """See ArtifactStore."""
        ...

    def close(self) -> None:
        """See ArtifactStore."""
        ...
