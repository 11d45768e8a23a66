"""Where an artifact's files go in a run: under its name, or under its next revision."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from .artifact_names import RESERVED_PREFIX
from .errors import ArtifactNameInvalid
from .manifest import ArtifactManifest, ManifestFile

MANIFEST_FOLDER = "studbook/manifests/"

_ATTEMPT = re.compile(r"\.a(\d{3,})")


@dataclass(frozen=True, slots=True)
class Placement:
    """The manifest as it is to be stored, or as it is stored already (`held`: nothing is to be sent)."""

    manifest: ArtifactManifest
    held: bool


def stored_path(manifest: ArtifactManifest, file: ManifestFile) -> str:
    """Where one of the manifest's files lies below the run's artifacts."""
    return manifest.stored_name if manifest.is_single_file else f"{manifest.stored_name}/{file.path}"


def is_manifest_path(path: str) -> bool:
    """Whether a path below the run's artifacts is a manifest's."""
    return path.startswith(MANIFEST_FOLDER) and path.endswith(".json")


def is_record_path(path: str) -> bool:
    """Whether a path below the run's artifacts is that of a small service file, such as a record or a spilled value."""
    return path.startswith(f"{RESERVED_PREFIX}/") and not is_manifest_path(path)


def attempt_path(path: str, attempt: int) -> str:
    """Where a record goes at its n-th attempt on a write-once backend: the first has the plain path."""
    return path if attempt == 1 else f"{path}.a{attempt:03d}"


def newest_attempts(path: str, listed: Iterable[str]) -> tuple[str, ...]:
    """The paths of a record's attempts, the newest first; the plain path, last, is one of them in any case."""
    found = {
        int(suffix[1]): other
        for other in listed
        if other.startswith(path) and (suffix := _ATTEMPT.fullmatch(other, len(path)))
    }
    return (*(found[attempt] for attempt in sorted(found, reverse=True)), path)


def place(
    wanted: ArtifactManifest,
    stored: Iterable[ArtifactManifest],
    listed: Collection[str],
    *,
    overwrites: bool,
) -> Placement:
    """Which revision an artifact takes.

    `stored` are all manifests of the run, `listed` all its paths. The same content under the name, in any
    revision: held. Files without a manifest are what a crash left: an overwriting backend writes over them, a
    write-once one takes the next revision. Files of another artifact are never written over. Raises
    ArtifactNameInvalid when a file lies where the name needs a folder.
    """
    stored = tuple(stored)
    of_name = [manifest for manifest in stored if manifest.name == wanted.name]
    for manifest in of_name:
        if manifest.content_digest == wanted.content_digest:
            return Placement(manifest, held=True)
    for folder in map(str, PurePosixPath(wanted.name).parents[:-1]):
        if folder in listed:
            raise ArtifactNameInvalid(
                f"artifact {wanted.name!r} needs a folder where the run holds the file {folder!r}",
                cure="store it under another name",
                path=wanted.name,
                component=folder,
            )
    taken = {stored_path(manifest, file) for manifest in stored for file in manifest.files}
    revision = 1
    while not _fits(_as_revision(wanted, revision), taken, listed, overwrites=overwrites):
        revision += 1
    return Placement(_as_revision(wanted, revision), held=False)


def superseded(kept: Iterable[ArtifactManifest]) -> frozenset[str]:
    """The paths of the manifests of all earlier revisions."""
    return frozenset(
        _as_revision(manifest, revision).manifest_path
        for manifest in kept
        for revision in range(1, manifest.revision)
    )


def newest(stored: Iterable[ArtifactManifest]) -> tuple[ArtifactManifest, ...]:
    """The highest revision of every name, sorted by name."""
    by_name: dict[str, ArtifactManifest] = {}
    for manifest in sorted(stored, key=lambda m: m.revision):
        by_name[manifest.name] = manifest
    return tuple(by_name[name] for name in sorted(by_name))


def _as_revision(manifest: ArtifactManifest, revision: int) -> ArtifactManifest:
    return manifest.model_copy(update={"revision": revision})


def _fits(
    manifest: ArtifactManifest, taken: Collection[str], listed: Collection[str], *, overwrites: bool
) -> bool:
    if manifest.manifest_path in listed:
        return False
    name = manifest.stored_name
    if not overwrites:
        return not any(path == name or path.startswith(f"{name}/") for path in listed)
    targets = {stored_path(manifest, file) for file in manifest.files}
    folders = {str(folder) for target in targets for folder in PurePosixPath(target).parents[:-1]}
    return (
        targets.isdisjoint(taken)
        and folders.isdisjoint(listed)
        and not any(path.startswith(f"{target}/") for target in targets for path in listed)
    )
