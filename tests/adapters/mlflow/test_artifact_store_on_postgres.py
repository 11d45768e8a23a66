"""The artifact store beside a PostgreSQL database."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from studbook.adapters.mlflow.artifact_store import MlflowArtifactStore
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.domain.keys import RunKey
from studbook.ports.artifact_store import ArtifactStore
from studbook.ports.contract.artifact_store import ArtifactStoreContract, MakeRun
from studbook.ports.tracking_store import NewRun


class TestArtifactsBesidePostgres(ArtifactStoreContract):
    """The port's contract."""

    @pytest.fixture
    def make_run(self, new_database: Callable[[], str], tmp_path: Path) -> Iterator[MakeRun]:
        """Runs of a new database."""
        self.uri, self.root = new_database(), tmp_path / "root"
        tracking = MlflowTrackingStore(self.uri, run_key_tag="studbook.run.key", artifact_root=str(self.root))
        numbers = itertools.count()

        def make() -> str:
            key = RunKey.of({"number": next(numbers)})
            return tracking.create_run(NewRun(key, "artifacts", "run", 1, {}))

        yield make
        tracking.close()

    @pytest.fixture
    def store(self, make_run: MakeRun) -> Iterator[ArtifactStore]:
        """The store of the same database."""
        store = MlflowArtifactStore(self.uri, artifact_root=str(self.root))
        yield store
        store.close()

    def corrupt(self, store: ArtifactStore, run_id: str, path: str, content: bytes | None) -> None:
        """In the folder that the root names."""
        place = self.root / "artifacts" / run_id / "artifacts" / path
        if content is None:
            place.unlink()
        else:
            place.write_bytes(content)
