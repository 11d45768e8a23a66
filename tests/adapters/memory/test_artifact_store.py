"""The artifact store in memory keeps the contract, with and without overwriting."""

from __future__ import annotations

from pathlib import Path

import pytest

from studbook.adapters.memory.artifact_store import MemoryArtifactStore
from studbook.domain.errors import IntegrityError
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

    def corrupt(self, store: ArtifactStore, run_id: str, path: str, content: bytes | None) -> None:
        """A path that was taken stays taken."""
        super().corrupt(store, run_id, path, content)
        if content is None:
            assert isinstance(store, MemoryArtifactStore)
            store.taken.setdefault(run_id, set()).add(path)

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

    def test_a_name_without_bytes_is_passed_over_as_often_as_it_happens(
        self, store: ArtifactStore, make_run: MakeRun
    ) -> None:
        assert isinstance(store, MemoryArtifactStore)
        run_id, path = make_run(), "studbook/spill/digest"
        store.taken[run_id] = {path, f"{path}.a002"}
        store.put_record(run_id, path, b"value")
        assert store.read(run_id, path) == b"value"
        assert store.files(run_id).read(f"{path}.a003") == b"value"

    def test_a_file_at_an_exact_path_without_bytes_is_refused(
        self, store: ArtifactStore, make_run: MakeRun, tmp_path: Path
    ) -> None:
        assert isinstance(store, MemoryArtifactStore)
        run_id = make_run()
        store.taken[run_id] = {"model.bin"}
        (tmp_path / "source").write_bytes(b"model")
        with pytest.raises(IntegrityError, match="or none"):
            store.put_file(run_id, tmp_path / "source", "model.bin")
