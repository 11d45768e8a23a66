"""Stores that break one promise each, and the tests of the contract that must notice."""

from __future__ import annotations

import hashlib
import itertools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from studbook.adapters.memory.artifact_store import MemoryArtifactStore
from studbook.domain.artifact_placement import is_manifest_path, stored_path
from studbook.domain.errors import ArtifactNotFound, IntegrityError
from studbook.domain.manifest import ArtifactManifest
from studbook.ports.artifact_store import ArtifactStore, StoredFile
from studbook.ports.contract.artifact_store import ArtifactStoreContract
from studbook.ports.contract.violations import violations


class Suite(ArtifactStoreContract):
    def corrupt(self, store: ArtifactStore, run_id: str, path: str, content: bytes | None) -> None:
        assert isinstance(store, MemoryArtifactStore)
        if content is None:
            del store.runs[run_id][path]
        else:
            store.runs[run_id][path] = content


class ManifestFirst(MemoryArtifactStore):
    def put(self, run_id: str, source: Path, manifest: ArtifactManifest) -> ArtifactManifest:
        self.files(run_id).create(manifest.manifest_path, manifest.to_bytes())
        for file in manifest.files:
            local = source if source.is_file() else source / file.path
            self.files(run_id).send(local, stored_path(manifest, file))
        return manifest


class TrustsTheSource(MemoryArtifactStore):
    """Sends what is there, and writes the manifest that it was given."""

    def put(self, run_id: str, source: Path, manifest: ArtifactManifest) -> ArtifactManifest:
        for file in manifest.files:
            local = source if source.is_file() else source / file.path
            if local.is_file():
                self.files(run_id).send(local, stored_path(manifest, file))
        self.files(run_id).create(manifest.manifest_path, manifest.to_bytes())
        return manifest


class OverwritesRevisions(MemoryArtifactStore):
    def put(self, run_id: str, source: Path, manifest: ArtifactManifest) -> ArtifactManifest:
        if source.exists():
            self.runs.setdefault(run_id, {}).pop(manifest.manifest_path, None)
        return super().put(run_id, source, manifest)


class AlwaysSendsAgain(MemoryArtifactStore):
    """Takes a new revision for content that it holds already."""

    def put(self, run_id: str, source: Path, manifest: ArtifactManifest) -> ArtifactManifest:
        revisions = sum(path.startswith("studbook/manifests/") for path in self.runs.get(run_id, {}))
        again = manifest.model_copy(update={"revision": revisions + 1})
        for file in again.files:
            local = source if source.is_file() else source / file.path
            self.files(run_id).send(local, stored_path(again, file))
        self.files(run_id).create(again.manifest_path, again.to_bytes())
        return again


class NoVerification(MemoryArtifactStore):
    def fetch(self, run_id: str, manifest: ArtifactManifest, destination: Path) -> None:
        for file in manifest.files:
            target = destination if manifest.is_single_file else destination / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            self.files(run_id).receive(stored_path(manifest, file), target)


class ChecksSizesOnly(NoVerification):
    def fetch(self, run_id: str, manifest: ArtifactManifest, destination: Path) -> None:
        stored = self.runs[run_id]
        for file in manifest.files:
            path = stored_path(manifest, file)
            if len(stored.get(path, b"")) != file.size:
                raise ArtifactNotFound("of another size", cure="none")
        super().fetch(run_id, manifest, destination)


class WritesInPlace(MemoryArtifactStore):
    """Verifies, but leaves what it had when it fails."""

    def fetch(self, run_id: str, manifest: ArtifactManifest, destination: Path) -> None:
        try:
            super().fetch(run_id, manifest, destination)
        except Exception:
            destination.mkdir()
            raise


class ForgetsEmptyFiles(MemoryArtifactStore):
    def list_files(self, run_id: str) -> tuple[StoredFile, ...]:
        return tuple(file for file in super().list_files(run_id) if file.size)


class Unsorted(MemoryArtifactStore):
    def list_files(self, run_id: str) -> tuple[StoredFile, ...]:
        return super().list_files(run_id)[::-1]

    def manifests(self, run_id: str) -> tuple[ArtifactManifest, ...]:
        return super().manifests(run_id)[::-1]


class AllRevisions(MemoryArtifactStore):
    def manifests(self, run_id: str) -> tuple[ArtifactManifest, ...]:
        files = self.files(run_id)
        return tuple(
            ArtifactManifest.from_bytes(files.read(path))
            for path in sorted(files.sizes())
            if path.startswith("studbook/manifests/")
        )


class RewritesRecords(MemoryArtifactStore):
    def put_record(self, run_id: str, path: str, content: bytes) -> None:
        self.runs.setdefault(run_id, {})[path] = content


class RefusesAnyBrokenManifest(MemoryArtifactStore):
    """Takes what has no bytes, or was superseded, for damage."""

    def manifests(self, run_id: str) -> tuple[ArtifactManifest, ...]:
        for path, content in self.runs.get(run_id, {}).items():
            if is_manifest_path(path):
                try:
                    ArtifactManifest.from_bytes(content)
                except ValidationError as error:
                    raise IntegrityError("damaged", cure="none") from error
        return super().manifests(run_id)


class RemembersRecords(MemoryArtifactStore):
    """Stores no record that it has stored before, whatever became of it."""

    def __init__(self) -> None:
        super().__init__()
        self._stored: set[tuple[str, str, bytes]] = set()

    def put_record(self, run_id: str, path: str, content: bytes) -> None:
        if (run_id, path, content) not in self._stored:
            super().put_record(run_id, path, content)
        self._stored.add((run_id, path, content))


class OneRun(MemoryArtifactStore):
    """Keeps the files of all runs in one place."""

    def list_files(self, run_id: str) -> tuple[StoredFile, ...]:
        everything = [file for run in self.runs for file in MemoryArtifactStore.list_files(self, run)]
        return tuple(sorted(everything, key=lambda file: file.path))


class EmptyForAbsent(MemoryArtifactStore):
    def read(self, run_id: str, path: str) -> bytes:
        return self.runs[run_id].get(path, b"")


class WritesAnywhere(MemoryArtifactStore):
    def put_file(self, run_id: str, source: Path, path: str) -> str:
        return self.files(run_id).send(source, path).sha256


class TellsTheDigestOfNothing(MemoryArtifactStore):
    def fetch_file(self, run_id: str, path: str, target: Path) -> str:
        super().fetch_file(run_id, path, target)
        return hashlib.sha256(b"").hexdigest()


class AppendsToFiles(MemoryArtifactStore):
    def put_file(self, run_id: str, source: Path, path: str) -> str:
        before = self.runs.get(run_id, {}).get(path, b"")
        digest = super().put_file(run_id, source, path)
        self.runs[run_id][path] = before + self.runs[run_id][path]
        return digest


@pytest.fixture
def folders() -> Iterator[Iterator[Path]]:
    made: list[Path] = []

    def make() -> Iterator[Path]:
        while True:
            made.append(Path(tempfile.mkdtemp()))
            yield made[-1]

    yield make()
    for folder in made:
        shutil.rmtree(folder)


def broken_promises(store: type[MemoryArtifactStore], folders: Iterator[Path]) -> set[str]:
    numbers = itertools.count()
    return violations(
        Suite(),
        store=store,
        make_run=lambda: lambda: f"run-{next(numbers)}",
        tmp_path=lambda: next(folders),
    )


def test_a_sound_store_breaks_nothing(folders: Iterator[Path]) -> None:
    assert broken_promises(MemoryArtifactStore, folders) == set()


@pytest.mark.parametrize(
    ("store", "noticed_by"),
    [
        (ManifestFirst, "test_the_manifest_comes_last"),
        (TrustsTheSource, "test_a_source_that_is_not_what_its_manifest_says_is_refused"),
        (OverwritesRevisions, "test_other_content_is_the_next_revision_and_the_first_stays"),
        (AlwaysSendsAgain, "test_the_same_content_twice_is_sent_once"),
        (NoVerification, "test_damaged_bytes_never_arrive"),
        (ChecksSizesOnly, "test_damaged_bytes_never_arrive"),
        (WritesInPlace, "test_a_lost_file_is_told_and_nothing_arrives"),
        (ForgetsEmptyFiles, "test_names_are_exact_and_the_listing_is_sorted_and_complete"),
        (Unsorted, "test_manifests_are_sorted_by_name"),
        (AllRevisions, "test_other_content_is_the_next_revision_and_the_first_stays"),
        (RewritesRecords, "test_records_are_written_once"),
        (RefusesAnyBrokenManifest, "test_a_manifest_without_bytes_says_nothing"),
        (RefusesAnyBrokenManifest, "test_a_damaged_manifest_is_told_until_there_is_a_newer_one"),
        (
            RemembersRecords,
            "test_a_record_whose_upload_broke_off_does_not_keep_the_next_try_from_storing_it",
        ),
        (OneRun, "test_runs_do_not_see_each_others_files"),
        (WritesAnywhere, "test_a_single_file_stays_inside_the_run"),
        (TellsTheDigestOfNothing, "test_a_single_file_goes_and_comes_as_it_is"),
        (AppendsToFiles, "test_other_bytes_at_a_path_replace_what_was_there_or_are_refused"),
        (EmptyForAbsent, "test_reading_what_is_not_there"),
    ],
)
def test_a_broken_store_is_noticed(
    store: type[MemoryArtifactStore], noticed_by: str, folders: Iterator[Path]
) -> None:
    assert noticed_by in broken_promises(store, folders)
