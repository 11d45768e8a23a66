"""Store an artifact: its bytes are pinned in the home, then the event says that they are to be delivered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..domain.artifact_kinds import validate
from ..domain.artifact_names import check_artifact_name
from ..domain.keys import RunKey, StudyKey, TrialKey
from ..domain.manifest import ArtifactKind, ManifestFile
from ..domain.manifest_building import manifest_of
from ..domain.run_events import ArtifactLogged
from ..domain.stage import Stage
from ..domain.tag_types import TIME
from ..ports.clock import Clock
from ..ports.pins import PinnedTree, Pins

DEFAULT_EXCLUDE = ("__pycache__", "*.pyc", "*.tmp", ".cache", ".git", ".DS_Store")
"""What is left out of a folder: globs of one path component."""


@dataclass(frozen=True, slots=True)
class ArtifactBuilder:
    """Builds artifacts with one set of pins, clock, version and patterns."""

    pins: Pins
    clock: Clock
    studbook: str
    exclude: tuple[str, ...] = DEFAULT_EXCLUDE

    def build(
        self,
        source: Path,
        *,
        name: str,
        kind: ArtifactKind,
        run_key: RunKey,
        stage: Stage,
        study_key: StudyKey | None = None,
        trial_key: TrialKey | None = None,
        role: str = "other",
        profile: str | None = None,
        required: bool = False,
    ) -> ArtifactLogged:
        """See `build_artifact`."""
        return build_artifact(
            self.pins,
            source,
            name=name,
            kind=kind,
            run_key=run_key,
            stage=stage,
            study_key=study_key,
            trial_key=trial_key,
            role=role,
            clock=self.clock,
            studbook=self.studbook,
            profile=profile,
            exclude=self.exclude,
            required=required,
        )


def build_artifact(
    pins: Pins,
    source: Path,
    *,
    name: str,
    kind: ArtifactKind,
    run_key: RunKey,
    stage: Stage,
    clock: Clock,
    studbook: str,
    study_key: StudyKey | None = None,
    trial_key: TrialKey | None = None,
    role: str = "other",
    profile: str | None = None,
    exclude: Iterable[str] = DEFAULT_EXCLUDE,
    required: bool = False,
) -> ArtifactLogged:
    """The event of a file or folder that is to be stored; its bytes are pinned when this returns.

    A file lies at exactly `name` when the two have the same suffix, else under its own name in a folder
    `name`: the suffix tells what a file is. Raises ArtifactInvalid, ArtifactNameInvalid, SourceChanged,
    HomeUnusable; nothing stays pinned then.
    """
    check_artifact_name(name)
    pinned = pins.pin(source, exclude=exclude)
    try:
        # The pinned bytes are what will be delivered, so they are what is validated.
        holds = validate(kind, pins.view(pinned.pin), profile)
        pin, files = _laid_out(pinned, name)
        manifest = manifest_of(
            files,
            name=name,
            kind=kind,
            profile=holds,
            run_key=run_key,
            stage=stage,
            study_key=study_key,
            trial_key=trial_key,
            role=role,
            created_at=TIME.write(clock.now_ns() // 10**6),
            studbook=studbook,
            excluded=pinned.excluded,
        )
    except BaseException:
        pins.release(pinned.pin)
        raise
    described = manifest.model_dump(mode="json", by_alias=True)
    return ArtifactLogged(manifest=described, pin=pin, required=required)


def _laid_out(pinned: PinnedTree, name: str) -> tuple[str, tuple[ManifestFile, ...]]:
    """The pin and the files as the artifact has them: the file itself when it lies at its own name."""
    own_name = PurePosixPath(name).name
    first = pinned.files[0]
    if pinned.is_file and PurePosixPath(first.path).suffix == PurePosixPath(name).suffix:
        return pinned.pin, (first.model_copy(update={"path": own_name}),)
    if pinned.is_file:
        return str(PurePosixPath(pinned.pin).parent), pinned.files
    if len(pinned.files) == 1 and first.path == own_name:
        return f"{pinned.pin}/{first.path}", pinned.files
    return pinned.pin, pinned.files
