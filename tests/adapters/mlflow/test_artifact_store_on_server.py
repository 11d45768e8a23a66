"""The artifact store through a real MLflow server that serves the artifacts itself."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest

from servers.mlflow_server import Server
from studbook.adapters.mlflow.artifact_store import MlflowArtifactStore
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.domain.keys import RunKey
from studbook.ports.artifact_store import ArtifactStore
from studbook.ports.contract.artifact_store import ArtifactStoreContract, MakeRun
from studbook.ports.tracking_store import NewRun


class TestServedArtifacts(ArtifactStoreContract):
    """The port's contract."""

    @pytest.fixture
    def server(self, server: Server) -> Server:
        """Whose database is SQLite."""
        return server

    @pytest.fixture
    def make_run(self, server: Server) -> Iterator[MakeRun]:
        """Runs of the server."""
        self.artifacts = server.artifacts
        tracking = MlflowTrackingStore(server.uri, run_key_tag="studbook.run.key")
        numbers = itertools.count()

        def make() -> str:
            key = RunKey.of({"number": next(numbers), "test": os.urandom(8).hex()})
            return tracking.create_run(NewRun(key, "artifacts", "run", 1, {}))

        yield make
        tracking.close()

    @pytest.fixture
    def store(self, server: Server) -> Iterator[ArtifactStore]:
        """The server's store."""
        store = MlflowArtifactStore(server.uri)
        yield store
        store.close()

    def corrupt(self, store: ArtifactStore, run_id: str, path: str, content: bytes | None) -> None:
        """In the server's folder."""
        (folder,) = self.artifacts.glob(f"*/{run_id}/artifacts")
        if content is None:
            (folder / path).unlink()
        else:
            (folder / path).write_bytes(content)


class TestServedArtifactsOnPostgres(TestServedArtifacts):
    """The same, where the server's database is PostgreSQL."""

    @pytest.fixture
    def server(self, server_on_postgres: Server) -> Server:
        """Whose database is PostgreSQL."""
        return server_on_postgres
