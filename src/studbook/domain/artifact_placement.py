"""Where an artifact's files go in a run: under its name, or under its next revision."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from .errors import ArtifactNameInvalid
from .manifest import ArtifactManifest, ManifestFile

MANIFEST_FOLDER = "studbook/manifests/"


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
