"""What every artifact store promises, as tests. Subclass, give the fixtures, and say how to damage a file."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from ...domain.artifact_placement import stored_path
from ...domain.errors import ArtifactNameInvalid, ArtifactNotFound, IntegrityError, PathTaken
from ...domain.keys import RunKey
from ...domain.manifest import ArtifactKind, ArtifactManifest, ManifestFile
from ...domain.manifest_building import manifest_of
from ...domain.stage import Stage
from ..artifact_store import ArtifactStore

MakeRun = Callable[[], str]

TREE = {
    "config.json": b'{"model_type":"svm"}\n',
    "model.bin": bytes(range(256)) * 4,
    "tokenizer/vocab.txt": "naïve\n日本語\n".encode(),
    "tokenizer/deep/er/ß 日本.txt": b"unicode",
    "empty": b"",
}


def write_tree(root: Path, files: Mapping[str, bytes]) -> Path:
    """Write the files below `root`."""
    for path, content in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return root


def read_tree(root: Path) -> dict[str, bytes]:
    """All files below `root`, by POSIX path."""
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def make_manifest(name: str, files: Mapping[str, bytes]) -> ArtifactManifest:
    """A manifest of kind `any` of these files."""
    return manifest_of(
        [ManifestFile(path=p, size=len(c), sha256=hashlib.sha256(c).hexdigest()) for p, c in files.items()],
        name=name,
        kind=ArtifactKind.ANY,
        profile=None,
        run_key=RunKey.of({"name": "contract"}),
        stage=Stage.REFIT,
        study_key=None,
        trial_key=None,
        role="other",
        created_at="2024-01-02T03:04:05.678Z",
        studbook="0",
    )


class ArtifactStoreContract(ABC):
    """Override the fixtures `store`, and `make_run`, which gives the id of a fresh run of that store."""

    @pytest.fixture
    def store(self) -> ArtifactStore:
        """A store to be tested."""
        raise NotImplementedError

    @pytest.fixture
    def make_run(self) -> MakeRun:
        """Makes runs of the store."""
        raise NotImplementedError

    @abstractmethod
    def corrupt(self, store: ArtifactStore, run_id: str, path: str, content: bytes | None) -> None:
        """Put other bytes in place of a stored file behind the store's back; None removes them (and it, if it can)."""

    def test_a_tree_comes_back_as_it_was(
        self, store: ArtifactStore, make_run: MakeRun, tmp_path: Path
    ) -> None:
        run_id, stored = _put(store, make_run(), tmp_path / "source", "checkpoint", TREE)
        store.fetch(run_id, stored, tmp_path / "there" / "model")
        assert read_tree(tmp_path / "there" / "model") == TREE
        assert [path.name for path in (tmp_path / "there").iterdir()] == ["model"]

    def test_a_single_file_lies_at_exactly_its_name(
        self, store: ArtifactStore, make_run: MakeRun, tmp_path: Path
    ) -> None:
        run_id = make_run()
        source = tmp_path / "pinned-under-another-name.txt"
        source.write_bytes(b"text")
        manifest = make_manifest("reports/summary.txt", {"summary.txt": b"text"})
        stored = store.put(run_id, source, manifest)
        assert store.read(run_id, "reports/summary.txt") == b"text"
        store.fetch(run_id, stored, tmp_path / "fetched")
        assert (tmp_path / "fetched").read_bytes() == b"text"

    def test_names_are_exact_and_the_listing_is_sorted_and_complete(
        self, store: ArtifactStore, make_run: MakeRun, tmp_path: Path
    ) -> None:
        run_id, stored = _put(store, make_run(), tmp_path / "source", "best model/v1", TREE)
        listed = store.list_files(run_id)
        assert [file.path for file in listed] == sorted(
            [stored.manifest_path, *(f"best model/v1/{path}" for path in TREE)]
        )
        assert all(
            file.size in (None, len(TREE[file.path.removeprefix("best model/v1/")]))
            for file in listed
            if file.path != stored.manifest_path
        )

    def test_a_folder_whose_one_file_is_called_like_it(
        self, store: ArtifactStore, make_run: MakeRun, tmp_path: Path
    ) -> None:
        files = {"weights/weights": b"1"}
        run_id, stored = _put(store, make_run(), tmp_path / "source", "model", files)
        assert "model/weights/weights" in {file.path for file in store.list_files(run_id)}
        store.fetch(run_id, stored, tmp_path / "fetched")
        assert read_tree(tmp_path / "fetched") == files

    def test_the_manifest_is_found_again_as_it_was_stored(
        self, store: ArtifactStore, make_run: MakeRun, tmp_path: Path
    ) -> None:
        run_id, stored = _put(store, make_run(), tmp_path / "source", "checkpoint", TREE)
        assert stored == make_manifest("checkpoint", TREE)
        assert store.manifests(run_id) == (stored,)
        assert store.read(run_id, stored.manifest_path) == stored.to_bytes()

    def test_a_run_without_files_has_none(self, store: ArtifactStore, make_run: MakeRun) -> None:
        run_id = make_run()
        assert store.list_files(run_id) == ()
        assert store.manifests(run_id) == ()

    def test_runs_do_not_see_each_others_files(
        self, store: ArtifactStore, make_run: MakeRun, tmp_path: Path
    ) -> None:
        other = make_run()
        _put(store, make_run(), tmp_path / "source", "checkpoint", TREE)
        assert store.list_files(other) == ()

    def test_the_manifest_comes_last(self, store: ArtifactStore, make_run: MakeRun, tmp_path: Path) -> None:
        """An upload that breaks off in the middle leaves no artifact, and its repetition makes one."""
        run_id = make_run()
        source = write_tree(tmp_path / "source", TREE)
        (source / "model.bin").unlink()
        manifest = make_manifest("checkpoint", TREE)
        with pytest.raises(IntegrityError):
            store.put(run_id, source, manifest)
        assert store.manifests(run_id) == ()
        assert not any(file.path.startswith("studbook/manifests/") for file in store.list_files(run_id))
        stored = store.put(run_id, write_tree(source, TREE), manifest)
        assert store.manifests(run_id) == (stored,)
        store.fetch(run_id, stored, tmp_path / "fetched")
        assert read_tree(tmp_path / "fetched") == TREE

    def test_a_source_that_is_not_what_its_manifest_says_is_refused(
        self, store: ArtifactStore, make_run: MakeRun, tmp_path: Path
    ) -> None:
        run_id = make_run()
        changed = {**TREE, "model.bin": bytes(range(255, -1, -1)) * 4}
        source = write_tree(tmp_path / "source", changed)
        with pytest.raises(IntegrityError):
            store.put(run_id, source, make_manifest("checkpoint", TREE))
        assert store.manifests(run_id) == ()

    def test_the_same_content_twice_is_sent_once(
        self, store: ArtifactStore, make_run: MakeRun, tmp_path: Path
    ) -> None:
        run_id, first = _put(store, make_run(), tmp_path / "source", "checkpoint", TREE)
        before = store.list_files(run_id)
        again = store.put(run_id, tmp_path / "gone", make_manifest("checkpoint", TREE))
        assert again == first
        assert store.list_files(run_id) == before

    def test_other_content_is_the_next_revision_and_the_first_stays(
        self, store: ArtifactStore, make_run: MakeRun, tmp_path: Path
    ) -> None:
        run_id, first = _put(store, make_run(), tmp_path / "one", "checkpoint", TREE)
        manifest_bytes = store.read(run_id, first.manifest_path)
        other = {"model.bin": b"other"}
        _, second = _put(store, run_id, tmp_path / "two", "checkpoint", other)
        _, third = _put(store, run_id, tmp_path / "three", "checkpoint", {"model.bin": b"third"})
        assert [first.revision, second.revision, third.revision] == [1, 2, 3]
        assert store.read(run_id, "checkpoint.a002/model.bin") == b"other"
        assert store.manifests(run_id) == (third,)
        assert store.read(run_id, first.manifest_path) == manifest_bytes
        store.fetch(run_id, first, tmp_path / "fetched")
        assert read_tree(tmp_path / "fetched") == TREE

    def test_a_single_files_next_revision(
        self, store: ArtifactStore, make_run: MakeRun, tmp_path: Path
    ) -> None:
        run_id = make_run()
        for content in (b"one", b"two"):
            (tmp_path / "notes.txt").write_bytes(content)
            store.put(run_id, tmp_path / "notes.txt", make_manifest("notes.txt", {"notes.txt": content}))
        (newest,) = store.manifests(run_id)
        store.fetch(run_id, newest, tmp_path / "fetched")
        assert (tmp_path / "fetched").read_bytes() == b"two"
        assert store.read(run_id, "notes.txt") == b"one"

    def test_a_repeated_delivery_of_an_older_revision_changes_nothing(
        self, store: ArtifactStore, make_run: MakeRun, tmp_path: Path
    ) -> None:
        run_id, first = _put(store, make_run(), tmp_path / "one", "checkpoint", TREE)
        _, second = _put(store, run_id, tmp_path / "two", "checkpoint", {"model.bin": b"other"})
        assert store.put(run_id, tmp_path / "one", make_manifest("checkpoint", TREE)) == first
        assert store.manifests(run_id) == (second,)

    def test_no_artifact_writes_over_anothers_files(
        self, store: ArtifactStore, make_run: MakeRun, tmp_path: Path
    ) -> None:
        run_id, outer = _put(store, make_run(), tmp_path / "one", "out", {"a.txt": b"outer", "b.txt": b"b"})
        (tmp_path / "a.txt").write_bytes(b"inner")
        inner = store.put(run_id, tmp_path / "a.txt", make_manifest("out/a.txt", {"a.txt": b"inner"}))
        store.fetch(run_id, outer, tmp_path / "outer")
        store.fetch(run_id, inner, tmp_path / "inner")
        assert (tmp_path / "outer" / "a.txt").read_bytes() == b"outer"
        assert (tmp_path / "inner").read_bytes() == b"inner"

    def test_manifests_are_sorted_by_name(
        self, store: ArtifactStore, make_run: MakeRun, tmp_path: Path
    ) -> None:
        run_id = make_run()
        for name in ("model", "checkpoint", "logs/train"):
            _put(store, run_id, tmp_path / name, name, {"a": name.encode()})
        assert [manifest.name for manifest in store.manifests(run_id)] == [
            "checkpoint",
            "logs/train",
            "model",
        ]

    def test_damaged_bytes_never_arrive(
        self, store: ArtifactStore, make_run: MakeRun, tmp_path: Path
    ) -> None:
        run_id, stored = _put(store, make_run(), tmp_path / "source", "checkpoint", TREE)
        whole = TREE["model.bin"]
        there = _empty(tmp_path / "there")
        for damaged in (b"\x01" + whole[1:], whole[:400], b"", whole + b"more"):
            self.corrupt(store, run_id, "checkpoint/model.bin", damaged)
            with pytest.raises(IntegrityError):
                store.fetch(run_id, stored, there / "model")
            assert not list(there.iterdir())
        self.corrupt(store, run_id, "checkpoint/model.bin", whole)
        store.fetch(run_id, stored, there / "model")
        assert read_tree(there / "model") == TREE

    def test_a_lost_file_is_told_and_nothing_arrives(
        self, store: ArtifactStore, make_run: MakeRun, tmp_path: Path
    ) -> None:
        run_id, stored = _put(store, make_run(), tmp_path / "source", "checkpoint", TREE)
        self.corrupt(store, run_id, "checkpoint/tokenizer/vocab.txt", None)
        there = _empty(tmp_path / "there")
        with pytest.raises(ArtifactNotFound):
            store.fetch(run_id, stored, there / "model")
        assert not list(there.iterdir())

    def test_a_damaged_manifest_is_told_until_there_is_a_newer_one(
        self, store: ArtifactStore, make_run: MakeRun, tmp_path: Path
    ) -> None:
        run_id, stored = _put(store, make_run(), tmp_path / "source", "checkpoint", TREE)
        damaged = stored.to_bytes().replace(b'"size":21', b'"size":22')
        self.corrupt(store, run_id, stored.manifest_path, damaged)
        with pytest.raises(IntegrityError):
            store.manifests(run_id)
        _, second = _put(store, run_id, tmp_path / "source", "checkpoint", TREE)
        assert second.revision == 2
        assert store.manifests(run_id) == (second,)

    def test_a_manifest_without_bytes_says_nothing(
        self, store: ArtifactStore, make_run: MakeRun, tmp_path: Path
    ) -> None:
        run_id, first = _put(store, make_run(), tmp_path / "one", "checkpoint", TREE)
        _, other = _put(store, run_id, tmp_path / "two", "model", {"model.bin": b"model"})
        _, second = _put(store, run_id, tmp_path / "three", "checkpoint", {"model.bin": b"second"})
        self.corrupt(store, run_id, second.manifest_path, None)
        assert store.manifests(run_id) == (first, other)
        self.corrupt(store, run_id, first.manifest_path, b"")
        assert store.manifests(run_id) == (other,)
        _, again = _put(store, run_id, tmp_path / "one", "checkpoint", TREE)
        assert store.manifests(run_id) == (again, other)

    def test_a_record_whose_upload_broke_off_does_not_keep_the_next_try_from_storing_it(
        self, store: ArtifactStore, make_run: MakeRun
    ) -> None:
        path, content = "studbook/records/lineage.json", b'{"a":1}'
        for left in (None, b'{"a"'):
            run_id = make_run()
            store.put_record(run_id, path, content)
            self.corrupt(store, run_id, path, left)
            try:
                store.put_record(run_id, path, content)
            except IntegrityError:
                assert left is not None
            else:
                assert store.read(run_id, path) == content

    def test_files_that_no_manifest_lists_are_ignored(
        self, store: ArtifactStore, make_run: MakeRun, tmp_path: Path
    ) -> None:
        run_id, stored = _put(store, make_run(), tmp_path / "source", "checkpoint", TREE)
        self.corrupt(store, run_id, "checkpoint/extra.txt", b"somebody else's")
        self.corrupt(store, run_id, "foreign.txt", b"somebody else's")
        assert store.manifests(run_id) == (stored,)
        store.fetch(run_id, stored, tmp_path / "fetched")
        assert read_tree(tmp_path / "fetched") == TREE

    def test_reading_what_is_not_there(self, store: ArtifactStore, make_run: MakeRun, tmp_path: Path) -> None:
        run_id, _ = _put(store, make_run(), tmp_path / "source", "checkpoint", TREE)
        for path in ("absent.txt", "checkpoint/absent", "absent/absent"):
            with pytest.raises(ArtifactNotFound):
                store.read(run_id, path)

    def test_records_are_written_once(self, store: ArtifactStore, make_run: MakeRun) -> None:
        run_id = make_run()
        store.put_record(run_id, "studbook/records/lineage.json", b'{"a":1}')
        store.put_record(run_id, "studbook/records/lineage.json", b'{"a":1}')
        with pytest.raises(IntegrityError):
            store.put_record(run_id, "studbook/records/lineage.json", b'{"a":2}')
        assert store.read(run_id, "studbook/records/lineage.json") == b'{"a":1}'
        assert store.manifests(run_id) == ()

    def test_a_large_file(self, store: ArtifactStore, make_run: MakeRun, tmp_path: Path) -> None:
        content = hashlib.shake_256(b"large").digest(3_000_001)
        run_id, stored = _put(
            store, make_run(), tmp_path / "source", "model", {"model.bin": content, "x": b""}
        )
        store.fetch(run_id, stored, tmp_path / "fetched")
        assert (tmp_path / "fetched" / "model.bin").read_bytes() == content

    def test_a_manifest_cannot_lead_out_of_the_destination(
        self, store: ArtifactStore, make_run: MakeRun, tmp_path: Path
    ) -> None:
        run_id, stored = _put(store, make_run(), tmp_path / "source", "checkpoint", {"a": b"a", "b": b"b"})
        self.corrupt(store, run_id, "checkpoint/../../escaped", b"b")
        evil = stored.files[1].model_copy(update={"path": "../../escaped"})
        forged = stored.model_copy(update={"files": (stored.files[0], evil)})
        with pytest.raises(ArtifactNameInvalid):
            store.fetch(run_id, forged, tmp_path / "there" / "deep" / "model")
        assert not list(tmp_path.rglob("there/**/escaped"))

    def test_a_single_file_goes_and_comes_as_it_is(
        self, store: ArtifactStore, make_run: MakeRun, tmp_path: Path
    ) -> None:
        run_id = make_run()
        for number, path in enumerate(("top.bin", "deep/er/ß 日本.txt", "studbook/manifests/odd.json")):
            content = bytes(range(256)) * (number * 50)
            source = tmp_path / f"source-{number}"
            source.write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            for _ in range(2):
                assert store.put_file(run_id, source, path) == digest
            assert store.fetch_file(run_id, path, tmp_path / f"came-{number}") == digest
            assert (tmp_path / f"came-{number}").read_bytes() == content
        assert len(store.list_files(run_id)) == 3

    def test_other_bytes_at_a_path_replace_what_was_there_or_are_refused(
        self, store: ArtifactStore, make_run: MakeRun, tmp_path: Path
    ) -> None:
        run_id = make_run()
        (tmp_path / "one").write_bytes(b"one")
        (tmp_path / "two").write_bytes(b"2")
        store.put_file(run_id, tmp_path / "one", "a/file")
        try:
            store.put_file(run_id, tmp_path / "two", "a/file")
        except PathTaken:
            assert store.read(run_id, "a/file") == b"one"
        else:
            assert store.read(run_id, "a/file") == b"2"

    def test_a_single_file_stays_inside_the_run(
        self, store: ArtifactStore, make_run: MakeRun, tmp_path: Path
    ) -> None:
        run_id = make_run()
        (tmp_path / "one").write_bytes(b"one")
        for path in ("", "../out", "/out", "a/../../out", "a//b"):
            with pytest.raises(ArtifactNameInvalid):
                store.put_file(run_id, tmp_path / "one", path)
        assert store.list_files(run_id) == ()
        with pytest.raises(ArtifactNotFound):
            store.fetch_file(run_id, "nothing", tmp_path / "nothing")

    def test_closing_twice_is_fine(self, store: ArtifactStore) -> None:
        store.close()
        store.close()


def _empty(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _put(
    store: ArtifactStore, run_id: str, source: Path, name: str, files: Mapping[str, bytes]
) -> tuple[str, ArtifactManifest]:
    stored = store.put(run_id, write_tree(source, files), make_manifest(name, files))
    assert all(store.read(run_id, stored_path(stored, file)) for file in stored.files if file.size)
    return run_id, stored
