"""Building manifests: checked names, sorted files, computed totals and digest."""

from __future__ import annotations

from collections.abc import Iterable

from .artifact_names import check_artifact_name, check_paths
from .errors import ArtifactInvalid
from .keys import RunKey, StudyKey, TrialKey
from .manifest import ArtifactKind, ArtifactManifest, ManifestFile, content_digest
from .stage import Stage


def manifest_of(
    files: Iterable[ManifestFile],
    *,
    name: str,
    kind: ArtifactKind,
    profile: str | None,
    run_key: RunKey | None,
    stage: Stage | None,
    study_key: StudyKey | None,
    trial_key: TrialKey | None,
    role: str,
    created_at: str,
    studbook: str,
    excluded: Iterable[str] = (),
) -> ArtifactManifest:
    """The manifest of these files, whatever their order; revision 1, origin `run`.

    `created_at` is RFC 3339 in UTC with milliseconds. Raises ArtifactNameInvalid for a name or path that is
    not portable, ArtifactInvalid when there is no file.
    """
    ordered = tuple(sorted(files, key=lambda file: file.path.encode("utf-8", "surrogatepass")))
    check_artifact_name(name)
    check_paths(file.path for file in ordered)
    if not ordered:
        raise ArtifactInvalid(
            f"artifact {name!r} has no file", cure="store at least one file", reason="EMPTY", path=""
        )
    return ArtifactManifest(
        name=name,
        kind=kind,
        profile=profile,
        run_key=run_key,
        stage=stage,
        study_key=study_key,
        trial_key=trial_key,
        role=role,
        files=ordered,
        file_count=len(ordered),
        total_size=sum(file.size for file in ordered),
        excluded=tuple(sorted(excluded)),
        content_digest=content_digest(ordered),
        created_at=created_at,
        studbook=studbook,
    )
