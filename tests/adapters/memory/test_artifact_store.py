"""The artifact store in memory keeps the contract, with and without overwriting."""

from __future__ import annotations

from pathlib import Path

import pytest

from studbook.adapters.memory.artifact_store import MemoryArtifactStore
from studbook.ports.artifact_store import ArtifactStore
from studbook.ports.capabilities import Capabilities
from studbook.ports.contract.artifact_store import ArtifactStoreContract, MakeRun, make_manifest, write_tree


def numbered_runs() -> MakeRun:
    numbers = iter(range(1000))
    return lambda: f"run-{next(numbers)}"


class TestMemoryArtifactStore(ArtifactStoreContract):
    @pytest.fixture
    def store(self) -> ArtifactStore:
        return MemoryArtifactStore()

    @pytest.fixture
    def make_run(self) -> MakeRun:
        return numbered_runs()

    def corrupt(self, store: ArtifactStore, run_id: str, path: str, content: bytes | None) -> None:
        assert isinstance(store, MemoryArtifactStore)
        if content is None:
            del store.runs[run_id][path]
        else:
            store.runs[run_id][path] = content


class TestWriteOnceMemoryArtifactStore(TestMemoryArtifactStore):
    @pytest.fixture
    def store(self) -> ArtifactStore:
        return MemoryArtifactStore(Capabilities(overwrites_artifacts=False))

    def test_the_manifest_comes_last(self, store: ArtifactStore, make_run: MakeRun, tmp_path: Path) -> None:
        """What a broken upload left keeps its name; the repetition takes the next revision."""
        assert isinstance(store, MemoryArtifactStore)
        run_id = make_run()
        store.runs[run_id] = {"checkpoint/a": b"left over"}
        stored = store.put(
            run_id, write_tree(tmp_path, {"a": b"a"}), make_manifest("checkpoint", {"a": b"a"})
        )
        assert stored.revision == 2
        assert store.read(run_id, "checkpoint/a") == b"left over"
        assert store.manifests(run_id) == (stored,)
